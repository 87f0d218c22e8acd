//! Alerts and dashboard of the chart: Prometheus understands them, each alert fires by what it is for, and each has a runbook.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::{env, fs};

use serde_json::{Value, json};

use crate::support::{chart, debian};

const ALERTS: &str = "charts/rollcall/files/alerts.yaml";
const TESTS: &str = "e2e/alerts/tests.yaml";

/// Prometheus' own checker of rules, out of Debian's package, which is unpacked and not installed: it would start a server.
fn promtool() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("promtool");
    let get = format!(
        "mkdir -p {0} && cd {0} && apt-get download -qq prometheus && dpkg -x prometheus_*.deb .",
        folder.display()
    );
    let found = folder.join("usr/bin/promtool");
    debian::or_get("promtool", &get, || found.exists().then(|| found.clone()))
}

fn checks(arguments: &[&str]) -> Output {
    let output = Command::new(promtool()).args(arguments).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}{}", said(&output.stdout), said(&output.stderr));
    output
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The alerts, by name.
fn alerts() -> Vec<String> {
    let rules = yaml(ALERTS)["groups"][0]["rules"].as_array().unwrap().clone();
    rules.iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_alert_fires_by_what_it_is_for_and_none_where_nothing_is_wrong() {
    checks(&["check", "rules", ALERTS]);
    checks(&["test", "rules", TESTS]);
    let (tests, runbooks) = (fs::read_to_string(TESTS).unwrap(), fs::read_to_string("docs/alerts.md").unwrap());
    let alerts = alerts();
    assert_eq!(alerts.len(), runbooks.lines().filter(|line| line.starts_with("### Rollcall")).count());
    for alert in &alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} is not tested");
        assert!(runbooks.contains(&format!("\n### {alert}\n")), "{alert} has no runbook");
    }
}

#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string("charts/rollcall/files/dashboard.json").unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(index, query)| {
            let expr = query["expr"].as_str().unwrap();
            json!({"record": format!("query:{index}"), "expr": expr.replace("$namespace", "rollcall").replace("$__rate_interval", "5m")})
        })
        .collect();
    assert!(rules.len() > 15);
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("dashboard-queries.yaml");
    fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    checks(&["check", "rules", file.to_str().unwrap()]);
}

#[test]
fn the_chart_gives_prometheus_and_grafana_the_same_files_when_it_is_asked_to() {
    let part = |values: Value| chart::part("rollcall", "people", "templates/monitoring.yaml", &values);
    assert_eq!(part(json!({})), None, "nothing by default: these kinds are not part of Kubernetes");
    let page = "https://example.com/alerts";
    let all = part(json!({"monitoring": {"labels": {"release": "prometheus"}, "podMonitor": {"enabled": true},
        "rules": {"enabled": true, "runbooks": page}, "dashboard": {"enabled": true}}}))
    .unwrap();
    let objects: Vec<Value> = all
        .split("\n---")
        .filter(|text| text.contains("kind:"))
        .map(|text| serde_saphyr::from_str(text).unwrap())
        .collect();
    let of = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
    assert_eq!(of("PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"], "http");
    assert_eq!(of("PodMonitor")["metadata"]["labels"]["release"], "prometheus");
    let dashboard = fs::read_to_string("charts/rollcall/files/dashboard.json").unwrap();
    assert_eq!(of("ConfigMap")["data"]["rollcall.json"].as_str().unwrap().trim(), dashboard.trim());
    let mut rules = of("PrometheusRule")["spec"]["groups"][0]["rules"].as_array().unwrap().clone();
    for rule in &mut rules {
        let runbook = rule["annotations"].as_object_mut().unwrap().remove("runbook_url").unwrap();
        assert_eq!(runbook, format!("{page}#{}", rule["alert"].as_str().unwrap().to_lowercase()));
    }
    assert_eq!(Some(&rules), yaml(ALERTS)["groups"][0]["rules"].as_array(), "as they were tested");
}
