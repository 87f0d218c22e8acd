//! What is installed: the kinds, the admission policies, the processes, and whether they fit each other.

use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use serde_json::Value;

use super::Check;
use super::seen::Seen;
use crate::api;

/// The oldest Kubernetes that is supported, as the chart says.
const OLDEST: (u32, u32) = (1, 32);
/// Seconds by which a clock may be off: last days are judged by the clocks of the cluster, and only shown by this one.
const CLOCK: i64 = 30;
/// How many fields that are missing are named.
const NAMED: usize = 3;
/// What is to be done with what the chart made.
const UPGRADE: &str = "helm upgrade, with the chart of this version";

/// Everything there is to say of it.
pub(super) fn checks(seen: &Seen) -> Vec<Check> {
    let mut all = vec![server(&seen.server)];
    all.extend(seen.ahead.map(clock));
    all.extend(kinds(seen));
    all.extend(admission(seen));
    all.extend(processes(seen));
    all.push(match &seen.revoker {
        Some(check) if check.ready => Check::right("revoker", format!("an empty Job ran at {:.0}", check.at)),
        Some(check) => Check::wrong("revoker", &check.message, "docs/install.md#check-that-the-revoker-can-run"),
        None => Check::note("revoker", "it was not checked yet whether its Jobs can run", "look at rollcall control"),
    });
    all
}

fn server(version: &str) -> Check {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']).map(|part| part.parse::<u32>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Check::right("Kubernetes", version),
        _ => Check::wrong("Kubernetes", version, format!("Rollcall needs {}.{} or later", OLDEST.0, OLDEST.1)),
    }
}

fn clock(ahead: i64) -> Check {
    if ahead.abs() <= CLOCK {
        return Check::right("clock", "this machine and the API server agree");
    }
    let found = format!(
        "this machine's clock is {} s {} the API server's",
        ahead.abs(),
        if ahead > 0 { "ahead of" } else { "behind" }
    );
    Check::note("clock", found, "one of the two is wrong: days and times that are shown are off by as much")
}

/// Kinds that are missing, or older than this binary: a field that it writes would be dropped.
fn kinds(seen: &Seen) -> Vec<Check> {
    let Some(installed) = &seen.definitions else { return vec![unread("kinds", "customresourcedefinitions")] };
    let mut wrong = Vec::new();
    for ours in api::definitions() {
        let name = ours.name_any();
        let Some(theirs) = installed.iter().find(|one| one.name_any() == name) else {
            wrong.push(Check::wrong(
                &format!("kind {name}"),
                "is not installed",
                "kubectl apply --server-side -f crds",
            ));
            continue;
        };
        let lacks = lacking(&fields(&ours), &fields(theirs));
        if !lacks.is_empty() {
            let found = format!("is older than this binary: it lacks {}", lacks.join(", "));
            wrong.push(Check::wrong(&format!("kind {name}"), found, "kubectl apply --server-side -f crds"));
        }
    }
    if wrong.is_empty() { vec![Check::right("kinds", "are those of this version")] } else { wrong }
}

/// Every field of a kind, by its path.
fn fields(kind: &impl serde::Serialize) -> Vec<String> {
    fn walk(path: &str, schema: &Value, found: &mut Vec<String>) {
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{name}");
            walk(&path, property, found);
            found.push(path);
        }
        for inner in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
            walk(path, inner, found);
        }
    }
    let mut found = Vec::new();
    let kind = serde_json::to_value(kind).unwrap_or_default();
    let versions = kind.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    for schema in versions.filter_map(|version| version.pointer("/schema/openAPIV3Schema")) {
        walk("", schema, &mut found);
    }
    found
}

fn lacking(ours: &[String], theirs: &[String]) -> Vec<String> {
    let lacks: Vec<_> = ours.iter().filter(|field| !theirs.contains(field)).collect();
    let mut named: Vec<_> = lacks.iter().take(NAMED).map(|field| field.trim_start_matches('.').to_owned()).collect();
    if lacks.len() > NAMED {
        named.push(format!("and {} more", lacks.len() - NAMED));
    }
    named
}

/// Admission policies without a binding that denies: they refuse nothing.
fn admission(seen: &Seen) -> Vec<Check> {
    let (Some(policies), Some(bindings)) = (&seen.admission, &seen.bindings) else {
        return vec![unread("admission policies", "validatingadmissionpolicies and their bindings")];
    };
    if policies.is_empty() {
        let next = "chart value `policies.enabled`: without them one stolen identity can act as all of them";
        return vec![Check::wrong("admission policies", "none is installed", next)];
    }
    let denies = |binding: &&ValidatingAdmissionPolicyBinding, name: &str| {
        let spec = binding.spec.as_ref();
        let of_it = spec.and_then(|spec| spec.policy_name.as_deref()) == Some(name);
        let actions = spec.and_then(|spec| spec.validation_actions.as_deref()).unwrap_or_default();
        of_it && actions.iter().any(|action| action == "Deny")
    };
    let mut wrong = Vec::new();
    for policy in policies {
        let name = policy.name_any();
        if !bindings.iter().any(|binding| denies(&binding, &name)) {
            wrong.push(Check::wrong(&format!("admission policy {name}"), "no binding of it denies", UPGRADE));
        }
        let status = policy.status.as_ref().and_then(|status| status.type_checking.as_ref());
        for warning in status.and_then(|checking| checking.expression_warnings.as_ref()).into_iter().flatten() {
            wrong.push(Check::note(
                &format!("admission policy {name}"),
                &warning.warning,
                "report it, with your version of Kubernetes",
            ));
        }
    }
    if wrong.is_empty() { vec![Check::right("admission policies", format!("{} deny", policies.len()))] } else { wrong }
}

/// Deployments that do not run as many as they should, or another version than this binary.
fn processes(seen: &Seen) -> Vec<Check> {
    let Some(deployments) = &seen.deployments else { return vec![unread("processes", "deployments")] };
    let mut all: Vec<_> = deployments.iter().map(process).collect();
    for part in ["sync", "control"] {
        if !deployments.iter().any(|one| one.name_any().ends_with(&format!("-{part}"))) {
            let next = "helm install, or say the namespace of the installation with --namespace";
            all.push(Check::wrong(&format!("rollcall {part}"), "there is no such Deployment in this namespace", next));
        }
    }
    all
}

fn process(deployment: &Deployment) -> Check {
    let what = format!("Deployment {}", deployment.name_any());
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let status = deployment.status.as_ref();
    let available = status.and_then(|status| status.available_replicas).unwrap_or(0);
    if available < wanted.max(1) {
        let found = format!("{available} of {wanted} pods are available");
        return Check::wrong(
            &what,
            found,
            format!("kubectl describe deployment {}, and the logs of its pods", deployment.name_any()),
        );
    }
    let version = deployment.labels().get("app.kubernetes.io/version").cloned().unwrap_or_default();
    if !version.is_empty() && version != env!("CARGO_PKG_VERSION") {
        let found = format!("is of version {version}, and this binary of {}", env!("CARGO_PKG_VERSION"));
        return Check::note(&what, found, "use the plugin of the installation's version");
    }
    Check::right(&what, format!("{available} of {wanted} pods are available"))
}

fn unread(what: &str, resources: &str) -> Check {
    Check::note(what, format!("not looked at: you may not list {resources}"), "ask somebody who may")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Grade;
    use super::*;

    fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_server_that_is_too_old_or_says_nothing_that_can_be_read_is_wrong() {
        for (version, right) in [
            ("v1.32.0", true),
            ("v1.35.4", true),
            ("v1.33.2-gke.100", true),
            ("v2.0.0", true),
            ("v1.31.9", false),
            ("", false),
        ] {
            assert_eq!(server(version).grade == Grade::Right, right, "{version}");
        }
    }

    #[test]
    fn a_kind_that_is_older_is_named_with_what_it_lacks() {
        let mut definitions = api::definitions();
        let seen = |definitions| Seen { definitions: Some(definitions), ..Seen::default() };
        assert!(kinds(&seen(definitions.clone())).iter().all(|check| check.grade == Grade::Right));
        let gone = definitions.remove(0);
        let found = kinds(&seen(definitions.clone()));
        assert!(found.len() == 1 && found[0].what.contains(&gone.name_any()), "{found:?}");
        let mut older = serde_json::to_value(&gone).unwrap();
        older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = json!({});
        definitions.push(of(older));
        let found = kinds(&seen(definitions));
        assert!(found.len() == 1 && found[0].found.contains("lacks spec."), "{found:?}");
    }

    #[test]
    fn a_policy_that_denies_nothing_is_wrong() {
        let policy = || of(json!({"metadata": {"name": "rollcall-cage"}}));
        let binding = |actions: Value| {
            of(
                json!({"metadata": {"name": "rollcall-cage"}, "spec": {"policyName": "rollcall-cage", "validationActions": actions}}),
            )
        };
        for (bindings, right) in
            [(vec![binding(json!(["Deny"]))], true), (vec![binding(json!(["Audit"]))], false), (vec![], false)]
        {
            let seen = Seen { admission: Some(vec![policy()]), bindings: Some(bindings), ..Seen::default() };
            assert_eq!(admission(&seen)[0].grade == Grade::Right, right);
        }
        let none = Seen { admission: Some(vec![]), bindings: Some(vec![]), ..Seen::default() };
        assert_eq!(admission(&none)[0].grade, Grade::Wrong);
        assert_eq!(admission(&Seen::default())[0].grade, Grade::Note, "may not be read");
    }

    #[test]
    fn processes_that_do_not_run_or_are_not_there_are_wrong() {
        let deployment = |name: &str, available: i32, version: &str| -> Deployment {
            of(json!({"metadata": {"name": name, "labels": {"app.kubernetes.io/version": version}},
                "spec": {"replicas": 2, "selector": {}, "template": {}}, "status": {"availableReplicas": available}}))
        };
        let ours = env!("CARGO_PKG_VERSION");
        let seen = |deployments| Seen { deployments: Some(deployments), ..Seen::default() };
        let grades = |seen: &Seen| processes(seen).into_iter().map(|check| check.grade).collect::<Vec<_>>();
        let well = seen(vec![deployment("rollcall-sync", 2, ours), deployment("rollcall-control", 2, ours)]);
        assert_eq!(grades(&well), [Grade::Right, Grade::Right]);
        let ill = seen(vec![deployment("rollcall-sync", 0, ours), deployment("rollcall-control", 2, "0.0.1")]);
        assert_eq!(grades(&ill), [Grade::Wrong, Grade::Note]);
        assert_eq!(grades(&seen(vec![])), [Grade::Wrong, Grade::Wrong], "another namespace");
    }

    #[test]
    fn a_clock_that_is_off_is_said() {
        assert_eq!(clock(3).grade, Grade::Right);
        assert!(clock(120).found.contains("120 s ahead of") && clock(-120).found.contains("behind"));
    }
}
