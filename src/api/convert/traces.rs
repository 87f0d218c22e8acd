//! The trace of a Revocation: its id, and what each of its spans says of it.

use crate::api::Revocation;
use domain::traces::{Key, Trace, Value};

/// The trace of a Revocation that stands in the cluster.
#[must_use]
pub fn trace(revocation: &Revocation) -> Trace {
    let spec = &revocation.spec;
    let attempt = revocation.status.as_ref().and_then(|status| status.attempt).unwrap_or(0);
    let mut common = vec![
        (Key::Policy, Value::name(&spec.policy)),
        (Key::Revocation, Value::name(revocation.metadata.name.as_deref().unwrap_or_default())),
        (Key::Operation, spec.operation.as_str().into()),
        (Key::Trigger, spec.trigger.as_str().into()),
    ];
    if attempt > 0 {
        common.push((Key::Attempt, attempt.into()));
    }
    Trace::new(revocation.metadata.uid.as_deref().unwrap_or_default(), attempt, common)
}
