//! What sync, control, revoke, grant and trim need of a cluster: calls, watches, compare-and-swap, leases, health, inventory, what the gates ask, the stop
//! and the ledger, and how an outcome becomes conditions.

pub mod calls;
pub mod consents;
pub mod drill;
pub mod follow;
pub mod gate_inputs;
pub mod grants;
pub mod health;
pub mod holders;
pub mod inventory;
pub mod lease;
pub mod ledger_store;
pub mod marks;
pub mod named;
pub mod outcome;
pub mod planning;
pub mod pods;
pub mod rbac;
pub mod revoker;
#[cfg(test)]
pub mod scenario;
pub mod secrets;
pub mod sources;
pub mod stop;
pub mod swap;
pub mod targets;
pub mod telemetry;
pub mod traces;
pub mod usernames;
pub mod watched;
