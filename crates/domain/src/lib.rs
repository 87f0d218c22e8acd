//! What Rollcall decides, as functions over plain values. No Kubernetes, no I/O, no clock: `now` is an argument.

pub mod account;
pub mod canonical;
pub mod capabilities;
pub mod drill;
pub mod employee;
pub mod evidence;
pub mod exposure;
pub mod expression;
pub mod field;
pub mod frozen;
pub mod gate;
pub mod grants;
pub mod handover;
#[cfg(test)]
mod histories;
pub mod hooks;
pub mod identity;
pub mod ledger;
pub mod lifecycle;
pub mod marks;
pub mod moves;
pub mod needs;
pub mod ownership;
pub mod plan;
pub mod profile;
pub mod quote;
pub mod rbac;
pub mod rechecks;
pub mod roster;
pub mod rotation;
pub mod schedule;
pub mod scope;
pub mod sources;
pub mod timezone;
pub mod trust;
pub mod used;
pub mod waves;
