//! HookTemplates: the pod templates that hooks may run. A kind of its own, because the API server reads it as a parameter of an admission
//! policy (see `frozen`), and because a human allows exactly the template that they saw: a CronJob that is changed later runs no
//! hook until it is allowed again.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Spec of HookTemplates: written by a human with `kubectl rollcall hooks`, and read by the API server and by `rollcall control`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "rollcall.dev",
    version = "v1alpha1",
    kind = "HookTemplates",
    plural = "hooktemplates",
    singular = "hooktemplates",
    namespaced,
    derive = "PartialEq",
    doc = "The pod templates that hooks may run. Written by a human with kubectl rollcall hooks; there is one, rollcall-hooks."
)]
#[serde(rename_all = "camelCase")]
pub struct HookTemplatesSpec {
    /// The pod template of each CronJob that may be run as a hook, by the CronJob's name, as the API server returned it.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "object", "x-kubernetes-preserve-unknown-fields": true}))]
    #[x_kube(validation = Rule::new("self.all(name, size(name) <= 52)").message("names of CronJobs have at most 52 characters"))]
    pub templates: BTreeMap<String, Value>,
}

/// The pod template of a CronJob, as it is compared: without what the API server writes as nothing (`creationTimestamp: null`).
#[must_use]
pub fn pod_template(cron_job: &Value) -> Option<Value> {
    let mut template = cron_job.pointer("/spec/jobTemplate/spec/template")?.clone();
    without_nulls(&mut template);
    template.is_object().then_some(template)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_template_is_compared_without_what_is_nothing() {
        let template = json!({"metadata": {"creationTimestamp": null, "labels": {"app": "siem"}},
            "spec": {"containers": [{"name": "hook", "resources": {}, "env": null}]}});
        let cron_job = json!({"spec": {"jobTemplate": {"spec": {"template": template}}}});
        let expected = json!({"metadata": {"labels": {"app": "siem"}}, "spec": {"containers": [{"name": "hook", "resources": {}}]}});
        assert_eq!(pod_template(&cron_job), Some(expected));
        assert_eq!(pod_template(&json!({"spec": {}})), None);
    }
}
