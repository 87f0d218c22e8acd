//! What a namespace lets the revoker do, asked of the API server.

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec,
};
use kube::api::PostParams;

use crate::api::names;
use crate::control::Context;
use crate::kube::calls::call;
use crate::kube::consents::Row;
use crate::kube::named::Api;
use crate::kube::outcome::Fault;

/// What the consent for accounts and bindings is made of: verb, group, resource.
pub const ACCOUNTS: [(&str, &str, &str); 8] = [
    ("get", "", "serviceaccounts"),
    ("list", "", "serviceaccounts"),
    ("create", "", "serviceaccounts"),
    ("delete", "", "serviceaccounts"),
    ("get", "rbac.authorization.k8s.io", "rolebindings"),
    ("list", "rbac.authorization.k8s.io", "rolebindings"),
    ("delete", "rbac.authorization.k8s.io", "rolebindings"),
    ("list", "", "pods"),
];
/// What the consent for cluster-scoped bindings is made of.
const CLUSTER: [(&str, &str, &str); 3] = [
    ("get", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("list", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("delete", "rbac.authorization.k8s.io", "clusterrolebindings"),
];

/// What the consent for Secrets is made of: what the revoker does with them, and with what runs with the old value.
const ROTATE: [(&str, &str, &str); 8] = [
    ("get", "", "secrets"),
    ("patch", "", "secrets"),
    ("list", "", "pods"),
    ("list", "apps", "replicasets"),
    ("get", "apps", "deployments"),
    ("patch", "apps", "deployments"),
    ("patch", "apps", "statefulsets"),
    ("patch", "apps", "daemonsets"),
];
/// What the consent for shared bindings is made of: what `rollcall trim` does with them.
const TRIM: [&str; 2] = ["update", "get"];

/// What a namespace lets the revoker do, as the API server says.
///
/// # Errors
/// When it does not answer: neither yes nor no.
pub async fn ask(ctx: &Context, namespace: &str) -> Result<Row, Fault> {
    let needs: &[_] = if namespace.is_empty() { &CLUSTER } else { &ACCOUNTS };
    let everywhere = everywhere(ctx).await?;
    if !namespace.is_empty() && !everywhere && !ctx.consents.granted().contains(namespace) {
        let missing = needs.iter().map(|(verb, _, resource)| format!("{verb} {resource}")).collect();
        return Ok(Row {
            namespace: namespace.to_owned(),
            accounts: false,
            canaries: false,
            trim: false,
            rotate: false,
            workloads: false,
            secrets: false,
            missing,
        });
    }
    let answers = needs.iter().map(|(verb, group, resource)| async move {
        let allowed = revoker_may(ctx, namespace, verb, group, resource, None).await?;
        Ok::<_, Fault>((!allowed).then(|| format!("{verb} {resource}")))
    });
    let missing: Vec<String> = futures::future::try_join_all(answers).await?.into_iter().flatten().collect();
    let (canaries, secrets) = if namespace.is_empty() {
        (false, false)
    } else {
        futures::try_join!(
            revoker_may(ctx, namespace, "create", "", "serviceaccounts", Some("token")),
            self_may_watch_secrets(ctx, namespace),
        )?
    };
    let accounts = missing.is_empty();
    let trim = accounts && trims(ctx, namespace).await?; // the revoker has to see it done
    let rotate = secrets && rotates(ctx, namespace).await?; // control has to know whose they are
    let workloads = accounts && !namespace.is_empty() && hands_over(ctx, namespace).await?;
    Ok(Row { namespace: namespace.to_owned(), accounts, canaries, trim, rotate, workloads, secrets, missing })
}

/// Whether any of it is given for the whole cluster: then every namespace has to be asked.
async fn everywhere(ctx: &Context) -> Result<bool, Fault> {
    let mut known = ctx.consents.everywhere.lock().await;
    if let Some(known) = *known {
        return Ok(known);
    }
    let answers = ACCOUNTS.iter().map(|(verb, group, resource)| revoker_may(ctx, "", verb, group, resource, None));
    let any = futures::future::try_join_all(answers).await?.contains(&true);
    *known = Some(any);
    Ok(any)
}

async fn revoker_may(
    ctx: &Context,
    namespace: &str,
    verb: &str,
    group: &str,
    resource: &str,
    sub: Option<&str>,
) -> Result<bool, Fault> {
    let options = &ctx.options;
    let revoker = (options.revoker_namespace.as_str(), options.revoker_account.as_str());
    account_may(ctx, revoker, attributes(namespace, verb, group, resource, sub)).await
}

/// Whether `rollcall trim` may change bindings here. One question where it is not installed, or nobody consented.
async fn trims(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    let account = format!("{}-trim", ctx.options.instance);
    let resource = if namespace.is_empty() { "clusterrolebindings" } else { "rolebindings" };
    for verb in TRIM {
        let asked = attributes(namespace, verb, "rbac.authorization.k8s.io", resource, None);
        if !account_may(ctx, (ctx.options.namespace.as_str(), account.as_str()), asked).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the revoker may rotate Secrets here, and restart what runs with the old value. One question where nobody consented.
async fn rotates(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    for (verb, group, resource) in ROTATE {
        if !revoker_may(ctx, namespace, verb, group, resource, None).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the revoker may hand accounts over here, and have their pods replaced. One question where nobody consented.
async fn hands_over(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    Ok(revoker_may(ctx, namespace, "handover", names::GROUP, "accounts", None).await?
        && revoker_may(ctx, namespace, "create", "", "pods", Some("eviction")).await?)
}

async fn account_may(
    ctx: &Context,
    (home, account): (&str, &str),
    attributes: ResourceAttributes,
) -> Result<bool, Fault> {
    let api: Api<SubjectAccessReview> = Api::all(ctx.client.clone());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{home}:{account}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{home}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = call("ask what an identity may do", api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn self_may_watch_secrets(ctx: &Context, namespace: &str) -> Result<bool, Fault> {
    let api: Api<SelfSubjectAccessReview> = Api::all(ctx.client.clone());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes(namespace, "watch", "", "secrets", None)),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = call("ask what control may do", api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn attributes(namespace: &str, verb: &str, group: &str, resource: &str, sub: Option<&str>) -> ResourceAttributes {
    ResourceAttributes {
        namespace: (!namespace.is_empty()).then(|| namespace.to_owned()),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: sub.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}
