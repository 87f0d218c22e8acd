//! Traces: one for a Revocation, of what three processes did that say nothing to each other; no name in them; nothing waits for their
//! collector; and no Job tells another collector than the chart's.

use std::collections::BTreeSet;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use rollcall::api::Revocation;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::chart::refused_by_policy;
use crate::support::collector::{API_KEY, Collector, Span};
use crate::support::installation::{Consent, Installation, POLICY};
use crate::support::objects::object;
use crate::support::waiting::eventually;

/// An installation that tells this collector, with the Secret of its headers where pods look for it.
async fn telling(story: &str, collector: &Collector) -> Installation {
    let tracing = json!({"endpoint": collector.url, "headers": {"secretName": "otel"}});
    let rollcall = Installation::with(story, &[("apps", Consent::Canaries)], json!({ "tracing": tracing })).await;
    collector.is_known_to(&rollcall).await;
    rollcall
}

/// Person 7 owns an account and a binding, and leaves.
async fn seven_leaves(rollcall: &Installation) -> Revocation {
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "laptop-of-seven").await;
    rollcall.bind_users("apps", "seven-views", &[rollcall.user("7")]).await;
    let staff = rollcall.staff(1..11);
    rollcall.learn(&staff).await;
    rollcall.seven_leaves(&staff).await
}

/// The first span of a name; by its begin.
fn first<'a>(trace: &'a [Span], name: &str) -> &'a Span {
    let of_name = trace.iter().filter(|span| span.name == name).min_by_key(|span| span.begun);
    of_name.unwrap_or_else(|| panic!("no span {name} in {trace:#?}"))
}

#[tokio::test]
async fn one_trace_shows_the_whole_way_of_a_leaver_through_three_processes_and_names_nobody() {
    let collector = Collector::serve().await;
    let rollcall = telling("traces", &collector).await;
    let _running = rollcall.run().await;
    let cut = seven_leaves(&rollcall).await;
    let uid = cut.uid().unwrap();

    let wanted =
        ["read", "person", "plan", "freeze", "release", "revoke", "step", "verdict", "confirm", "seal", "revocation"];
    let trace = eventually("the trace is whole", || async {
        let trace = collector.trace(&uid);
        let names: BTreeSet<&str> = trace.iter().map(|span| span.name.as_str()).collect();
        wanted.iter().all(|name| names.contains(name)).then_some(trace)
    })
    .await;

    for (name, service) in wanted.iter().zip([
        "sync", "sync", "control", "control", "control", "revoke", "revoke", "revoke", "revoke", "control", "control",
    ]) {
        assert_eq!(first(&trace, name).service, format!("rollcall-{service}"), "{name}");
    }
    let begins = wanted[..10].iter().map(|name| (first(&trace, name).begun, *name));
    assert!(begins.clone().is_sorted_by_key(|(begun, _)| begun), "in their order: {:#?}", begins.collect::<Vec<_>>());
    assert!(first(&trace, "read").ended <= first(&trace, "person").begun);
    assert!(first(&trace, "release").ended >= first(&trace, "freeze").ended);
    assert!(first(&trace, "confirm").ended <= first(&trace, "seal").ended);

    let roots: Vec<&Span> = trace.iter().filter(|span| span.parent.is_none()).collect();
    let [root] = roots[..] else { panic!("one span is the whole: {roots:#?}") };
    assert_eq!((root.name.as_str(), root.says("rollcall.phase").as_deref()), ("revocation", Some("Revoked")));
    assert_eq!(root.begun / 1_000, u64::try_from(seen(&cut).as_microsecond()).unwrap(), "it begins when it was seen");
    let ids: BTreeSet<&str> = trace.iter().map(|span| span.id.as_str()).collect();
    assert!(trace.iter().filter_map(|span| span.parent.as_deref()).all(|parent| ids.contains(parent)));
    assert_eq!(ids.len(), trace.len(), "no two spans have one id");
    for span in &trace {
        assert_eq!(span.says("rollcall.revocation"), Some(cut.name_any()));
        assert_eq!(span.says("rollcall.policy").as_deref(), Some(POLICY));
    }
    assert_eq!(first(&trace, "read").says("rollcall.connection"), Some(rollcall.connection.clone()));
    assert_eq!(first(&trace, "release").says("k8s.job.name"), cut.status.as_ref().unwrap().job.clone());
    let of_targets = |name: &str, key: &str| -> BTreeSet<(String, String)> {
        let all = trace.iter().filter(|span| span.name == name);
        all.map(|span| (span.says("rollcall.target.kind").unwrap(), span.says(key).unwrap())).collect()
    };
    let both =
        |word: &str| [("RoleBinding", word), ("ServiceAccount", word)].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(of_targets("step", "rollcall.outcome"), both("Done").into());
    assert_eq!(of_targets("verdict", "rollcall.verdict"), both("Observed").into());

    let text = collector.text().to_lowercase();
    for (what, word) in [
        ("a family name", "zephyrine".to_owned()),
        ("a given name", "quillon".to_owned()),
        ("an address", rollcall.address("7").split_once('@').unwrap().1.to_owned()),
        ("a user name", "oidc:".to_owned()),
        ("an account", "laptop-of-seven".to_owned()),
        ("a binding", "seven-views".to_owned()),
        ("a namespace that is acted in", rollcall.target("apps")),
        ("a credential", API_KEY.to_owned()),
        ("a token", "eyjhbgcioi".to_owned()),
    ] {
        assert!(!text.contains(&word), "{what} in a span");
    }
    assert!(text.contains("rollcall-sync"), "the search finds what is there");
    for log in rollcall.logs() {
        let log = std::fs::read_to_string(log).unwrap();
        assert!(!log.contains(API_KEY), "the headers are in no log");
        assert!(!log.contains("takes no spans"), "all were taken");
    }
}

/// When it was seen that they left.
fn seen(cut: &Revocation) -> jiff::Timestamp {
    cut.status.as_ref().and_then(|status| status.instants.as_ref()?.seen).unwrap()
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_and_breaks_nothing() {
    let collector = Collector::that_hangs().await;
    let rollcall = telling("hangs", &collector).await;
    let _running = rollcall.run().await;
    let cut = seven_leaves(&rollcall).await;
    assert!(cut.status.as_ref().unwrap().confirmed.is_some());
    let all = ["rollcall-control", "rollcall-revoke", "rollcall-sync"];
    eventually("all three asked it", || async { collector.askers().iter().eq(all.iter()).then_some(()) }).await;

    let pods: Api<Pod> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let job = cut.status.as_ref().unwrap().job.clone().unwrap();
    eventually("the revoker's Job has ended well", || async {
        let its = ListParams::default().labels(&format!("job-name={job}"));
        let phases: Vec<_> = pods.list(&its).await.unwrap().into_iter().filter_map(|pod| pod.status?.phase).collect();
        (phases == ["Succeeded"]).then_some(())
    })
    .await;
    // The next leaver does not wait for the last one's spans.
    rollcall.account_of("8", "apps", "laptop-of-eight").await;
    let staff = rollcall.staff(1..11).person("7").terminated().person("8").terminated();
    rollcall.learn(&staff).await;
    rollcall.reaches("8", Operation::Cut, Phase::Revoked).await;
    assert_eq!(collector.text(), "", "it never took anything");
}

#[tokio::test]
async fn no_job_of_the_revoker_tells_another_collector_than_the_declared_one() {
    let collector = Collector::serve().await;
    let rollcall = telling("telling", &collector).await;
    let jobs: Api<Job> = Api::namespaced(rollcall.admin.clone(), &rollcall.revoker_namespace());
    let rehearse = |spec: Value| {
        let job: Job = object(json!({"metadata": {"name": "rehearsed"}, "spec": spec}));
        let jobs = &jobs;
        async move { jobs.create(&PostParams { dry_run: true, ..PostParams::default() }, &job).await }
    };
    let declared = rollcall.job();
    eventually("the declared Job is taken", || async { rehearse(declared.clone()).await.ok() }).await;
    let variables = "/template/spec/containers/0/env";
    for (what, at, value) in [
        ("another collector", "/0/value", json!("https://elsewhere.example.com")),
        ("another Secret", "/1/valueFrom/secretKeyRef/name", json!("hr-credentials")),
        ("another key of it", "/1/valueFrom/secretKeyRef/key", json!("password")),
        ("a Secret that has to be there", "/1/valueFrom/secretKeyRef/optional", json!(false)),
        ("no headers", "", json!([{"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": collector.url}])),
    ] {
        let mut forged = declared.clone();
        *forged.pointer_mut(&format!("{variables}{at}")).unwrap() = value;
        let refusal = rehearse(forged).await.expect_err(what);
        assert!(refused_by_policy(&refusal), "{what}: {refusal}");
    }
}
