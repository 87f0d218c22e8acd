//! Alerts of the chart: Prometheus understands them, each fires by what it is for, and each has a runbook.

use std::fs;

use serde_json::{Value, json};

use crate::support::chart;
use crate::support::prometheus::promtool;

const ALERTS: &str = "charts/rollcall/files/alerts.yaml";
const TESTS: &str = "e2e/alerts/tests.yaml";

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
    promtool(&["check", "rules", ALERTS]);
    promtool(&["test", "rules", TESTS]);
    let (tests, runbooks) = (fs::read_to_string(TESTS).unwrap(), fs::read_to_string("docs/alerts.md").unwrap());
    let alerts = alerts();
    assert_eq!(alerts.len(), runbooks.lines().filter(|line| line.starts_with("### Rollcall")).count());
    for alert in &alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert} is not tested");
        assert!(runbooks.contains(&format!("\n### {alert}\n")), "{alert} has no runbook");
    }
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
