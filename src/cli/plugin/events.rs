//! `rollcall events`: what Rollcall reported of its objects, the newest last; and, on request, what comes.

use clap::Args;
use futures::TryStreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::runtime::{WatchStreamExt, watcher};

use super::cluster::Cluster;
use super::people::all;
use super::terminal::{plain, say, table};
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
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    cluster: Cluster,
}

/// Prints the Events of Rollcall's kinds.
///
/// # Flow          list, sort, print; then watch
/// # Guarantees    changes nothing
/// # Errors        whatever the API server says, in its words
pub async fn run(options: &Options) -> Result<(), Failure> {
    let api: Api<Event> = Api::namespaced(options.cluster.client().await?, options.cluster.namespace());
    let mut events = all("list the Events", api.clone(), "").await?;
    events.retain(|event| wanted(event, options));
    events.sort_by_key(at);
    if events.is_empty() && !options.follow {
        say("There are no Events. They are kept for an hour by default.");
        return Ok(());
    }
    let shown = events.iter().map(row);
    say(&table(["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], shown));
    if options.follow {
        return follow(&api, options, events.last().and_then(at)).await;
    }
    Ok(())
}

/// Prints what comes after an instant, until it is interrupted.
async fn follow(api: &Api<Event>, options: &Options, after: Option<Timestamp>) -> Result<(), Failure> {
    let mut events =
        std::pin::pin!(watcher((**api).clone(), watcher::Config::default()).default_backoff().applied_objects());
    loop {
        match events.try_next().await {
            Ok(Some(event)) if wanted(&event, options) && at(&event) > after => say(&row(&event).join("  ")),
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

fn row(event: &Event) -> [String; 5] {
    let of = &event.involved_object;
    let text = |text: &Option<String>| plain(text.as_deref().unwrap_or("-"));
    let object = format!("{}/{}", text(&of.kind).to_lowercase(), text(&of.name));
    let when = at(event).map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
    [when, text(&event.type_), text(&event.reason), object, text(&event.message)]
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
        assert_eq!(row(&ours), ["2026-03-02T08:00:00Z", "Warning", "CameBack", "person/p-7", "made again"]);
    }
}
