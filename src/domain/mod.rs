//! What Rollcall decides, as functions over plain values. No Kubernetes, no I/O, no clock: `now` is an argument.

pub mod employee;
pub mod gate;
pub mod ledger;
pub mod ownership;
pub mod plan;
pub mod schedule;
pub mod trust;
