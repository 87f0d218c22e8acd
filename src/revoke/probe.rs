//! A probe: one right that a binding gives its user, to be seen refused after the binding is gone.

use std::collections::BTreeSet;

use crate::kube::named::Api;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Client;
use kube::api::{DynamicObject, PostParams};
use serde_json::Value;

use super::Context;
use crate::kube::calls::call;
use crate::kube::outcome::Fault;
use crate::kube::targets;
use domain::plan::{Kind, Target};

/// One right of one user.
#[derive(Clone, Debug)]
pub struct Probe {
    user: String,
    attributes: ResourceAttributes,
}

/// Picks the first right that the binding's role names and that its user has now; `None` if there is none to be seen. Of a shared
/// binding one of those who are leaving it is asked about.
pub async fn pick(ctx: &Context, target: &Target, binding: &Value, leaving: &BTreeSet<String>) -> Option<Probe> {
    let probe = of(ctx, target, binding, leaving).await?;
    allowed(ctx, &probe).await.ok()?.then_some(probe)
}

/// The first right that the binding's role names, whether its user has it now or not.
pub async fn of(ctx: &Context, target: &Target, binding: &Value, leaving: &BTreeSet<String>) -> Option<Probe> {
    if target.kind == Kind::ServiceAccount {
        return None;
    }
    let user = targets::users(binding).find(|user| leaving.is_empty() || leaving.contains(*user))?.to_owned();
    let role = binding.get("roleRef")?;
    let (kind, name) = (role.get("kind")?.as_str()?, role.get("name")?.as_str()?);
    let rules = ctx.shared.rules(ctx, kind, &target.namespace, name).await.ok()??;
    let attributes = rules.iter().find_map(|rule| attributes(rule, &target.namespace))?;
    Some(Probe { user, attributes })
}

/// Whether `rollcall trim` may bind the role of a binding: the API server asks for that with every change of one.
pub async fn trim_may_bind(ctx: &Context, target: &Target, binding: &DynamicObject) -> Result<bool, Fault> {
    let of_role =
        |field: &str| binding.data.get("roleRef").and_then(|role| role.get(field)?.as_str()).unwrap_or_default();
    let resource = if of_role("kind") == "Role" { "roles" } else { "clusterroles" };
    let asked = Probe {
        user: format!("system:serviceaccount:{}:{}-trim", ctx.namespace, ctx.instance),
        attributes: ResourceAttributes {
            namespace: (!target.namespace.is_empty()).then(|| target.namespace.clone()),
            verb: Some("bind".to_owned()),
            group: Some("rbac.authorization.k8s.io".to_owned()),
            resource: Some(resource.to_owned()),
            name: Some(of_role("name").to_owned()),
            ..ResourceAttributes::default()
        },
    };
    allowed(ctx, &asked).await
}

/// Whether the user has the right now, by any of the API servers.
pub async fn allowed(ctx: &Context, probe: &Probe) -> Result<bool, Fault> {
    ctx.servers().await.any(&ctx.client, async |client: Client| allowed_by(client, probe).await).await
}

async fn allowed_by(client: Client, probe: &Probe) -> Result<bool, Fault> {
    let api: Api<SubjectAccessReview> = Api::all(client);
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
