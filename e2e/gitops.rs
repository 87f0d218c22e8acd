//! What Argo CD is told to make of a connection and a policy (docs/gitops.md): an HR system that is down degrades nothing.

use std::fs;
use std::process::Command;

use rollcall::api::condition::{ConditionType, Reason, Status};
use serde_json::{Value, json};

use crate::support::debian;

/// The interpreter of the language that Argo CD's health checks are written in.
fn lua() -> &'static str {
    let there = || Command::new("lua5.4").arg("-v").output().is_ok().then_some("lua5.4");
    debian::or_get("lua5.4", &debian::install("lua5.4"), there)
}

/// The health checks of the page, by the kind that they are of.
fn checks() -> Vec<(String, String)> {
    let page = fs::read_to_string("docs/gitops.md").unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.into_iter().find(|block| block.contains("argocd-cm")).expect("the page has a block for Argo CD");
    let config_map: Value = serde_saphyr::from_str(block).unwrap();
    let checks = config_map["data"].as_object().unwrap().iter();
    let of = "resource.customizations.health.rollcall.dev_";
    checks.map(|(key, text)| (key.strip_prefix(of).unwrap().to_owned(), text.as_str().unwrap().to_owned())).collect()
}

/// A value as Lua writes it.
fn in_lua(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("{{{}}}", items.iter().map(in_lua).collect::<Vec<_>>().join(",")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("[{}]={}", json!(key), in_lua(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        Value::Null => "nil".to_owned(),
        other => other.to_string(),
    }
}

fn health(check: &str, object: &Value) -> String {
    let program =
        format!("local obj = {}\nlocal health = (function()\n{check}\nend)()\nprint(health.status)", in_lua(object));
    let output = Command::new(lua()).args(["-e", &program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn argo_cd_calls_degraded_what_somebody_wrote_wrongly_and_nothing_else() {
    let condition = |of: ConditionType, status: Status, reason: Reason| json!({"type": of.to_string(), "status": status.as_str(), "reason": reason.to_string(), "message": "…"});
    let ready = |status, reason| condition(ConditionType::Ready, status, reason);
    let object = |conditions: Value| json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 2, "conditions": conditions}});
    let stalled = json!([
        ready(Status::False, Reason::Stalled),
        condition(ConditionType::Stalled, Status::True, Reason::InvalidSpec)
    ]);
    let cases = [
        ("was not looked at yet", json!({"metadata": {"generation": 1}}), "Progressing"),
        (
            "changed since",
            json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "conditions": []}}),
            "Progressing",
        ),
        ("is as it should be", object(json!([ready(Status::True, Reason::Succeeded)])), "Healthy"),
        ("has an HR system that is down", object(json!([ready(Status::False, Reason::Unreachable)])), "Healthy"),
        ("has a response that is held", object(json!([ready(Status::False, Reason::Shrunk)])), "Healthy"),
        ("cannot be followed", object(stalled), "Degraded"),
    ];
    let checks = checks();
    assert_eq!(checks.len(), 2);
    for (kind, check) in &checks {
        for (what, object, expected) in &cases {
            assert_eq!(health(check, object), *expected, "{kind} that {what}");
        }
    }
    let (_, connection) = checks.iter().find(|(kind, _)| kind == "HRConnection").unwrap();
    assert_eq!(health(connection, &object(json!([ready(Status::False, Reason::Suspended)]))), "Suspended");
}
