//! The chart's dashboard: each panel says what it shows, and a day that is played answers each of its queries.
//!
//! `make pictures` draws it of the same day, with Grafana's published components (`dashboard/draw.jsx`); there is no Grafana server in it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;

use crate::support::chromium::Chromium;
use crate::support::played_day::{self, NAMESPACE, SCRAPED_EVERY};
use crate::support::prometheus::{Prometheus, promtool};

const DASHBOARD: &str = "charts/rollcall/files/dashboard.json";

fn panels() -> Vec<Value> {
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    dashboard["panels"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Every query with the panel that has it.
fn queries(panels: &[Value]) -> Vec<(&Value, &Value)> {
    panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap().iter().map(move |query| (panel, query)))
        .collect()
}

/// A query as Grafana asks it: of one namespace, in steps of ten minutes.
fn filled(query: &Value, namespace: &str) -> String {
    const STEP: i64 = 600;
    let rate = (4 * SCRAPED_EVERY).max(STEP + SCRAPED_EVERY);
    text(query, "/expr")
        .replace("$namespace", namespace)
        .replace("$__rate_interval", &format!("{rate}s"))
        .replace("$__interval", &format!("{STEP}s"))
}

/// What a query gives at one time, or at each step of a day until then.
async fn asked(prometheus: &Prometheus, query: &Value, namespace: &str, now: Timestamp) -> Vec<Value> {
    let (expr, end) = (filled(query, namespace), now.as_second());
    if query["instant"] == true {
        return prometheus.answers("query", &[("query", &expr), ("time", &end.to_string())]).await;
    }
    let range = [("start", (end - 86_400).to_string()), ("end", end.to_string()), ("step", "600".to_owned())];
    let range = range.iter().map(|(name, value)| (*name, value.as_str()));
    prometheus.answers("query_range", &[("query", expr.as_str())].into_iter().chain(range).collect::<Vec<_>>()).await
}

/// Names of labels in a legend: of `{{part}} {{pod}}`, part and pod.
fn labels(legend: &str) -> BTreeSet<&str> {
    legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim()).collect()
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    let panels = panels();
    for panel in &panels {
        let title = text(panel, "/title");
        assert!(!title.is_empty() && text(panel, "/description").ends_with('.'), "{title} has no description");
        assert!(!text(panel, "/fieldConfig/defaults/unit").is_empty(), "{title} has no unit");
        let empty = panel.pointer("/fieldConfig/defaults/noValue").and_then(Value::as_str);
        assert!(empty.is_none_or(|words| words.ends_with(", or no metrics")), "{title} calls good what nobody reports");
        if panel["type"] == "stat" {
            // Grafana gives what is not there the colour of the lowest threshold otherwise, which is green.
            let mappings = panel.pointer("/fieldConfig/defaults/mappings").unwrap().as_array().unwrap();
            let unknown = mappings.iter().find(|one| one["options"]["match"] == "null").unwrap();
            assert_eq!(text(unknown, "/options/result/color"), "#6e6e6e", "{title}");
            assert_eq!(panel["targets"][0]["instant"], true, "{title} shows what was, where nothing is known now");
        }
    }
    let places: Vec<[u64; 4]> =
        panels.iter().map(|panel| ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap())).collect();
    for (index, [x, y, w, h]) in places.iter().enumerate() {
        assert!(x + w <= 24);
        let meets = |[a, b, c, d]: &[u64; 4]| x < &(a + c) && a < &(x + w) && y < &(b + d) && b < &(y + h);
        assert!(!places.iter().skip(index + 1).any(meets), "two panels in one place: {}", panels[index]["title"]);
    }
}

#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let panels = panels();
    let rules: Vec<Value> = queries(&panels)
        .iter()
        .enumerate()
        .map(|(index, (_, query))| serde_json::json!({"record": format!("query:{index}"), "expr": filled(query, NAMESPACE)}))
        .collect();
    assert!(rules.len() > 15);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard-queries.yaml");
    fs::write(&file, serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

#[tokio::test]
async fn a_played_day_answers_every_query_and_nothing_is_green_where_nothing_is_known() {
    let prometheus = Prometheus::with(&played_day::samples()).await;
    let panels = panels();
    for (panel, query) in queries(&panels) {
        let what = format!("{}: {}", panel["title"], query["expr"]);
        let series = asked(&prometheus, query, NAMESPACE, played_day::at(24, 0)).await;
        let number = |pair: &Value| pair[1].as_str().unwrap() != "NaN";
        let has = |one: &Value| {
            one["value"].is_array() && number(&one["value"])
                || one["values"].as_array().is_some_and(|values| values.iter().any(number))
        };
        assert!(series.iter().any(has), "a whole day gives nothing: {what}");
        let told = labels(text(query, "/legendFormat"));
        for one in &series {
            let had: BTreeSet<&str> = one["metric"].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(told, had, "the legend does not tell one from another: {what}");
        }
        for (namespace, now) in [("nowhere", played_day::at(24, 0)), (NAMESPACE, played_day::at(24, 30))] {
            if panel["type"] == "stat" {
                let series = asked(&prometheus, query, namespace, now).await;
                assert_eq!(series, Vec::<Value>::new(), "something is shown where Rollcall says nothing: {what}");
            }
        }
    }
}

/// The numbers of the first row while it is bad: they are what was played.
#[tokio::test]
async fn the_first_row_shows_what_is_wrong_while_it_is() {
    let prometheus = Prometheus::with(&played_day::samples()).await;
    let panels = panels();
    let shows = async |title: &str, hour: u32, minute: u32| {
        let panel = panels.iter().find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("no panel {title}"));
        let series = asked(&prometheus, &panel["targets"][0], NAMESPACE, played_day::at(hour, minute)).await;
        assert_eq!(series.len(), 1, "{title}: {series:?}");
        text(&series[0], "/value/1").to_owned()
    };
    for (title, hour, minute, value) in [
        ("Revoking failed", 16, 0, "0"),
        ("Revoking failed", 16, 30, "1"),
        ("Revoking failed", 18, 0, "0"),
        ("Access is back", 21, 0, "0"),
        ("Access is back", 21, 30, "1"),
        ("Needs approval", 10, 0, "0"),
        ("Needs approval", 11, 0, "14"),
        ("Needs approval", 13, 0, "0"),
        ("Stopped", 19, 55, "1"),
        ("Stopped", 20, 5, "1"),
        ("Stopped", 20, 30, "0"),
        ("HR last trusted", 14, 50, "6300"),
        ("Revoker can run", 20, 5, "1"),
        ("Drill passed", 20, 5, "1"),
        ("Evidence signed", 20, 5, "1"),
    ] {
        assert_eq!(shows(title, hour, minute).await, value, "{title} at {hour}:{minute}");
    }
}

/// The page that draws it, as it was bundled by `make pictures`, and the dashboard.
async fn page(folder: &'static Path) -> String {
    let routes = Router::new().fallback(move |request: Request| async move {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let file = match path.as_str() {
            "dashboard.json" => Path::new(DASHBOARD).to_owned(),
            _ if path.contains("..") => return Err(StatusCode::NOT_FOUND),
            _ => folder.join(&path),
        };
        let kind = match file.extension().and_then(|end| end.to_str()) {
            Some("html") => "text/html",
            Some("js") => "text/javascript",
            Some("svg") => "image/svg+xml",
            Some("css") => "text/css",
            _ => "application/octet-stream",
        };
        fs::read(file).map(|bytes| ([(header::CONTENT_TYPE, kind)], bytes)).map_err(|_| StatusCode::NOT_FOUND)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}

/// What `make pictures` looks at of the dashboard: the end of the day, the hour in which it was worst, and nothing at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it makes pictures for somebody who looks at them: make pictures"]
async fn pictures() {
    let (folder, drawn) = (Path::new("target/pictures"), Path::new("target/dashboard"));
    fs::create_dir_all(folder).unwrap();
    let samples = played_day::samples();
    let (prometheus, page) = (Prometheus::with(&samples).await, page(drawn).await);
    let mut chromium = Chromium::start(&[]);
    let tab = chromium.tab();
    let (midnight, worst) = (played_day::at(24, 0), played_day::at(16, 40));
    for (name, theme, namespace, to, whole) in [
        ("day-light", "light", NAMESPACE, midnight, true),
        ("day-dark", "dark", NAMESPACE, midnight, true),
        ("trouble-light", "light", NAMESPACE, worst, true),
        ("trouble-dark", "dark", NAMESPACE, worst, true),
        ("nothing-light", "light", "nowhere", midnight, true),
        ("screen", "light", NAMESPACE, worst, false), // docs/pictures/dashboard.png
    ] {
        chromium.size(&tab, 1600, 900);
        let (origin, from, to) = (&prometheus.origin, played_day::at(0, 0).as_second(), to.as_second());
        let of = format!("namespace={namespace}&from={from}&to={to}&scraped={SCRAPED_EVERY}");
        let asked = format!("prometheus={origin}&theme={theme}&{of}");
        assert_eq!(chromium.goes(&tab, &format!("{page}/index.html?{asked}")), 200);
        chromium.until(&tab, "every panel is drawn", "window.drawn === true");
        if whole {
            let height = chromium.value(&tab, "document.documentElement.scrollHeight").as_u64().unwrap();
            chromium.size(&tab, 1600, u32::try_from(height).unwrap());
        }
        let empty = chromium.value(&tab, "window.empty");
        assert!(namespace != NAMESPACE || empty == serde_json::json!([]), "panels without data: {empty}");
        assert_eq!(chromium.wrong(&tab), Vec::<String>::new());
        fs::write(folder.join(format!("dashboard-{name}.png")), chromium.picture(&tab)).unwrap();
    }
}
