//! `rollcall events`: what Rollcall reported of its objects, the newest last; and, on request, what comes.

use clap::Args;
use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::runtime::{WatchStreamExt, watcher};
use serde::Serialize;

use super::cluster::Cluster;
use super::output::Output;
use super::people::{READING, all};
use super::progress::during;
use super::terminal::{columns, plain, say};
use super::{Failure, told};
use crate::api::names;
use crate::kube::calls;
use crate::kube::named::Api;

/// What is being done, for a failure.
const WATCH: &str = "watch the Events";

/// Options of `rollcall events`.
#[derive(Debug, Args)]
pub struct Options {
    /// Only what is about this object: its name, such as that of a Person, or kind and name (`person/p-7`)
    #[arg(value_name = "OBJECT")]
    object: Option<String>,
    /// Only warnings
    #[arg(long)]
    warnings: bool,
    /// Go on with what comes; as JSON and YAML, each Event is then a document of its own
    #[arg(short, long)]
    follow: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    cluster: Cluster,
}

/// An Event, as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    last_seen: Option<Timestamp>,
    first_seen: Option<Timestamp>,
    count: i32,
    #[serde(rename = "type")]
    type_: String,
    reason: String,
    /// `person/p-7`.
    object: String,
    message: String,
    /// Which part of Rollcall says so.
    source: String,
}

/// Prints the Events of Rollcall's kinds.
///
/// # Flow          list, sort, print; then watch
/// # Guarantees    changes nothing
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<Event> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let mut events = during(READING, all("list the Events", api.clone(), "")).await?;
    events.retain(|event| wanted(event, options));
    events.sort_by_key(at);
    let (lines, output): (Vec<Line>, Output) = (events.iter().map(line).collect(), options.output);
    if !options.follow {
        return output.print(&lines, || Ok(page(&lines, output.wide())));
    }
    match output.for_people() {
        true => say(&listed(&lines, output.wide())),
        false => lines.iter().try_for_each(|line| output.print_next(line, String::new))?,
    }
    follow(&api, options, events.last().and_then(at)).await
}

fn page(lines: &[Line], wide: bool) -> String {
    match lines.is_empty() {
        true => "There are no Events. They are kept for an hour by default.".to_owned(),
        false => listed(lines, wide),
    }
}

fn listed(lines: &[Line], wide: bool) -> String {
    let head = ["LAST SEEN", "TYPE", "REASON", "OBJECT"].into_iter();
    let head = head.chain(wide.then_some(["SOURCE", "FIRST SEEN", "COUNT"]).into_iter().flatten()).chain(["MESSAGE"]);
    columns(head.map(str::to_owned).collect(), lines.iter().map(|line| cells(line, wide)))
}

/// Prints what comes after an instant, until it is interrupted.
async fn follow(api: &Api<Event>, options: &Options, after: Option<Timestamp>) -> Result<(), Failure> {
    let mut events =
        std::pin::pin!(watcher((**api).clone(), watcher::Config::default()).default_backoff().applied_objects());
    loop {
        match events.try_next().await {
            Ok(Some(event)) if wanted(&event, options) && at(&event) > after => {
                let (line, output) = (line(&event), options.output);
                let cells =
                    || cells(&line, output.wide()).iter().map(|cell| plain(cell)).collect::<Vec<_>>().join("  ");
                output.print_next(&line, cells)?;
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchFailed(error)) => {
                let failed = calls::call(WATCH, std::future::ready(Err(error))).await;
                return failed.map_err(|fault| told(WATCH, fault));
            }
            Err(_) => {} // the watch begins again by itself
        }
    }
}

fn wanted(event: &Event, options: &Options) -> bool {
    let of = &event.involved_object;
    let ours = of.api_version.as_deref().is_some_and(|version| version.starts_with(names::GROUP));
    let named = options.object.as_deref().is_none_or(|object| is_about(event, object));
    ours && named && (!options.warnings || event.type_.as_deref() == Some("Warning"))
}

/// Whether an Event is about an object that is named as `p-7` or `person/p-7`.
fn is_about(event: &Event, object: &str) -> bool {
    let of = &event.involved_object;
    let (kind, name) = object.split_once('/').map_or((None, object), |(kind, name)| (Some(kind), name));
    of.name.as_deref() == Some(name)
        && kind.is_none_or(|kind| of.kind.as_deref().is_some_and(|of| of.eq_ignore_ascii_case(kind)))
}

/// When it last happened.
fn at(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    series.or(last).or(event.event_time.as_ref().map(|time| time.0)).or(event
        .metadata
        .creation_timestamp
        .as_ref()
        .map(|time| time.0))
}

fn line(event: &Event) -> Line {
    let of = &event.involved_object;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let series = event.series.as_ref().and_then(|series| series.count);
    let first = event.first_timestamp.as_ref().map(|time| time.0);
    let source = event.source.as_ref().and_then(|source| source.component.clone());
    Line {
        last_seen: at(event),
        first_seen: first.or(event.event_time.as_ref().map(|time| time.0)).or_else(|| at(event)),
        count: series.or(event.count).unwrap_or(1).max(1),
        type_: text(&event.type_),
        reason: text(&event.reason),
        object: format!("{}/{}", text(&of.kind).to_lowercase(), text(&of.name)),
        message: text(&event.message),
        source: text(&event.reporting_component.clone().filter(|name| !name.is_empty()).or(source)),
    }
}

fn cells(line: &Line, wide: bool) -> Vec<String> {
    let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
    let mut cells = vec![when(line.last_seen), line.type_.clone(), line.reason.clone(), line.object.clone()];
    cells.extend(
        wide.then(|| [line.source.clone(), when(line.first_seen), line.count.to_string()]).into_iter().flatten(),
    );
    cells.push(line.message.clone());
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(version: &str, kind: &str, name: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {"name": "e"}, "type": "Warning", "reason": "CameBack", "message": "made again",
            "involvedObject": {"apiVersion": version, "kind": kind, "name": name},
            "eventTime": "2026-03-02T08:00:00.000000Z",
        }))
        .unwrap()
    }

    #[test]
    fn an_object_is_named_by_its_name_or_by_kind_and_name() {
        let ours = event("rollcall.dev/v1alpha1", "Person", "p-7");
        for (object, expected) in
            [("p-7", true), ("person/p-7", true), ("Person/p-7", true), ("revocation/p-7", false), ("p-8", false)]
        {
            assert_eq!(is_about(&ours, object), expected, "{object}");
        }
        let expected = ["2026-03-02T08:00:00Z", "Warning", "CameBack", "person/p-7", "made again"];
        assert_eq!(cells(&line(&ours), false), expected);
    }

    #[test]
    fn the_wide_table_says_how_often_and_since_when_and_who_says_so() {
        let mut often = event("rollcall.dev/v1alpha1", "Person", "p-7");
        often.reporting_component = Some("rollcall-control".to_owned());
        often.series =
            serde_json::from_value(json!({"count": 3, "lastObservedTime": "2026-03-02T09:00:00.000000Z"})).unwrap();
        let lines = [line(&often)];
        let table = listed(&lines, true);
        for expected in ["2026-03-02T09:00:00Z", "rollcall-control", "2026-03-02T08:00:00Z", " 3 "] {
            assert!(table.contains(expected), "{expected}: {table}");
        }
        assert_eq!(serde_json::to_value(&lines[0]).unwrap()["count"], 3);
    }

    #[test]
    fn a_message_paints_over_nothing_in_a_table_and_is_whole_for_programs() {
        let mut hostile = event("rollcall.dev/v1alpha1", "Person", "p-7");
        hostile.message = Some("gone\u{1b}[2J".to_owned());
        let line = line(&hostile);
        assert!(!listed(std::slice::from_ref(&line), true).contains('\u{1b}'));
        assert!(crate::cli::plugin::output::json(&line).unwrap().contains("\\u001b"), "JSON escapes it");
        assert!(!crate::cli::plugin::output::yaml(&line).unwrap().contains('\u{1b}'));
    }
}
