//! A probe: one right that a binding gives its user, to be seen refused after the binding is gone.

use crate::kube::named::Api;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::api::PostParams;
use serde_json::Value;

use super::Context;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use domain::plan::{Kind, Target};

/// One right of one user.
#[derive(Clone, Debug)]
pub struct Probe {
    user: String,
    attributes: ResourceAttributes,
}

/// Picks the first right that the binding's role names and that its user has now; `None` if there is none to be seen.
pub async fn pick(ctx: &Context, target: &Target, binding: &Value) -> Option<Probe> {
    if target.kind == Kind::ServiceAccount {
        return None;
    }
    let subjects = binding.get("subjects")?.as_array()?;
    let user = subjects.iter().find(|subject| subject.get("kind").and_then(Value::as_str) == Some("User"))?;
    let user = user.get("name")?.as_str()?.to_owned();
    let role = binding.get("roleRef")?;
    let (kind, name) = (role.get("kind")?.as_str()?, role.get("name")?.as_str()?);
    let rules = ctx.shared.rules(ctx, kind, &target.namespace, name).await.ok()??;
    let attributes = rules.iter().find_map(|rule| attributes(rule, &target.namespace))?;
    let probe = Probe { user, attributes };
    allowed(ctx, &probe).await.ok()?.then_some(probe)
}

/// Whether the user has the right now.
pub async fn allowed(ctx: &Context, probe: &Probe) -> Result<bool, Fault> {
    let api: Api<SubjectAccessReview> = Api::all(ctx.client.clone());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(probe.user.clone()),
            resource_attributes: Some(probe.attributes.clone()),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = call("review a right", api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The first right of a rule over resources; a wildcard is asked for by a word of its own.
fn attributes(rule: &PolicyRule, namespace: &str) -> Option<ResourceAttributes> {
    let concrete =
        |words: &[String], any: &str| words.first().map(|w| if w == "*" { any.to_owned() } else { w.clone() });
    let resource = concrete(rule.resources.as_deref()?, "rollcallprobes")?;
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (resource, None),
    };
    Some(ResourceAttributes {
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        verb: concrete(&rule.verbs, "get"),
        group: concrete(rule.api_groups.as_deref().unwrap_or_default(), "rollcall.dev"),
        resource: Some(resource),
        subresource,
        name: rule.resource_names.as_deref().and_then(|names| names.first().cloned()),
        ..ResourceAttributes::default()
    })
}
