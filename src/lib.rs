//! Rollcall asks HR systems who works here, and makes a Kubernetes cluster agree.
//!
//! ```text
//! HR system ──pages──▶ connector ──records──▶ employees ──▶ trust gate ──snapshot──▶ roster ──changes──▶ Person
//!                      (hris)                 (domain)      trusted | held                                  │
//!    evidence ◀── verification ◀── steps ◀── revocation Job ◀── Revocation ◀── plan ◀── owned access ◀── lifecycle
//!    (hash chain)  (refused?)     (revoke)   (own identity)     (gate)        (hashed)  (control)
//! ```
//! Each arrow is one function over plain values, or one call to the outside; never both. Dependencies point one way:
//! `domain` ◀ `hris`, `api` ◀ `sync`, `control`, `revoke` ◀ `cli`. A test holds the arrows.

pub mod api;
pub mod brakes;
pub mod cli;
pub mod cluster;
pub mod control;
pub mod domain;
pub mod hris;
pub mod lease;
pub mod outcome;
pub mod revoke;
pub mod server;
pub mod sync;
pub mod telemetry;
pub mod view;
pub mod world;
