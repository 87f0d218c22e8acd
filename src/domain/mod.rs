//! What Rollcall decides, as functions over plain values. No Kubernetes, no I/O, no clock: `now` is an argument.

pub mod employee;
pub mod lifecycle;
pub mod ownership;
pub mod roster;
