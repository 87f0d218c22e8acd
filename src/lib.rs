//! Rollcall asks HR systems who works here, and makes a Kubernetes cluster agree.
//!
//! ```text
//! HR system ──pages──▶ connector ──records──▶ employees ──▶ trust gate ──snapshot──▶ roster ──changes──▶ Person
//!                      (hris)                 (domain)      trusted | held                                  │
//!    evidence ◀── verification ◀── steps ◀── revocation Job ◀── Revocation ◀── plan ◀── owned access ◀── lifecycle
//!    (hash chain)  (refused?)     (revoke)   (own identity)     (gate)        (hashed)  (control)
//! ```
//! Each arrow is one function over plain values, or one call to the outside; never both. Dependencies point one way:
//! the crates `domain` ◀ `hris` ◀ `fake-hr`, and here `api` ◀ `kube` ◀ `sync`, `control`, `revoke`, `grant`, `trim`, `scim`, `tell` ◀ `cli`. The compiler
//! holds the arrows between crates, a test those in here.

pub mod api;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod architecture_words;
pub mod cli;
pub mod control;
pub mod grant;
pub mod kube;
#[cfg(test)]
mod released;
pub mod revoke;
pub mod scim;
pub mod sync;
pub mod tell;
pub mod trim;
