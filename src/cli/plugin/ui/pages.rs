//! The pages: which there are, and what each is made of. What is watched is at hand; what else is needed is read when it is asked for.

mod connections;
mod coverage;
mod evidence;
mod held;
mod leavers;
mod next;
mod overview;
mod people;
mod person;
mod review;
mod trust;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::frame::{Frame, Page, framed};
use super::mirror::{Mirror, Shelf};
use crate::api::names;
use crate::cli::evidence::{Looked, Trust, look as look_at_evidence};
use crate::cli::plugin::coverage::{Found, read as read_coverage};
use crate::cli::plugin::html::{Html, el};
use crate::cli::plugin::people::owned::{self, Seen};
use crate::cli::plugin::people::{World, list};
use crate::cli::plugin::report::access::Things;
use crate::cli::{Failure, ask};
use crate::kube::named::Api;
use crate::kube::{calls, stop};

/// How long the rest of the cluster is kept, once it was read.
const A_MINUTE: Duration = Duration::from_secs(60);
/// How long something is kept that many pages ask for and that is quickly read.
const A_MOMENT: Duration = Duration::from_secs(5);

/// Whether everything is stopped, as the caller may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing is.
    Open,
    /// For this reason.
    Stopped(String),
    /// It is not known, and why.
    Unknown(String),
}

/// The words of a query.
#[derive(Debug, Default)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads them.
    pub fn of(text: &str) -> Self {
        let url = reqwest::Url::parse(&format!("http://localhost/?{text}")).ok();
        Self(url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default())
    }

    /// One of them; empty where it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(|text| text.trim()).unwrap_or_default()
    }
}

/// What all pages are made of.
pub struct Look<'a> {
    pub world: &'a World,
    pub now: Timestamp,
    pub unmask: bool,
    pub namespace: &'a str,
    pub query: &'a Query,
}

/// Everything that pages are made from.
pub struct Desk {
    client: Client,
    namespace: String,
    unmask: bool,
    mirror: Arc<Mirror>,
    stop: Shelf<Stop>,
    coming: Shelf<Vec<list::Row>>,
    owned: Shelf<Option<Seen>>,
    things: Shelf<Things>,
    coverage: Shelf<Found>,
    evidence: Shelf<Looked>,
}

impl Desk {
    /// With nothing read yet but what is watched.
    pub fn new(client: Client, namespace: String, unmask: bool, mirror: Arc<Mirror>) -> Self {
        Self {
            client,
            namespace,
            unmask,
            mirror,
            stop: Shelf::default(),
            coming: Shelf::default(),
            owned: Shelf::default(),
            things: Shelf::default(),
            coverage: Shelf::default(),
            evidence: Shelf::default(),
        }
    }

    /// What is watched.
    pub const fn mirror(&self) -> &Arc<Mirror> {
        &self.mirror
    }

    /// A page, framed, with the code that it is answered with.
    pub async fn page(&self, path: &str, query: &str) -> (StatusCode, String) {
        let words = Query::of(query);
        let changes = self.mirror.changes(); // before anything is looked at: what comes meanwhile is told
        let page = self.made(path, &words).await;
        let code = if page.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let lost = || {
            let body = el("p", &[("class", "lead")], "Choose one of the pages above.");
            Page { of: "-", title: "There is no such page".to_owned(), live: false, body }
        };
        let here = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let trouble = self.mirror.trouble();
        let (namespace, unmask, now) = (self.namespace.as_str(), self.unmask, calls::now());
        let frame = Frame { here: &here, namespace, unmask, changes, trouble: &trouble, now };
        (code, framed(page.unwrap_or_else(lost), &frame))
    }

    async fn made(&self, path: &str, query: &Query) -> Option<Page> {
        Some(match path {
            "" => {
                let (stop, coming) = (self.stopped().await, self.coming().await);
                overview::page(&self.look(&self.mirror.world(), query), &stop, &coming)
            }
            "leavers" => leavers::page(&self.look(&self.mirror.world(), query)),
            "next" => {
                let coming = self.coming().await;
                next::page(&self.look(&self.mirror.world(), query), &coming)
            }
            "held" => {
                let stop = self.stopped().await;
                held::page(&self.look(&self.mirror.world(), query), &stop)
            }
            "people" => people::page(&self.look(&self.mirror.world(), query)),
            "person" => {
                let seen = self.owned.get(A_MINUTE, owned::seen(&self.client)).await;
                person::page(&self.look(&self.mirror.world(), query), seen.as_deref())?
            }
            "connections" => {
                let attempts = |name: &str| self.mirror.attempts(name);
                connections::page(&self.look(&self.mirror.world(), query), &attempts)
            }
            "coverage" => {
                let found = self.coverage.get(A_MINUTE, read_coverage(&self.client, &self.namespace)).await;
                coverage::page(&self.look(&self.mirror.world(), query), found.as_deref())
            }
            "review" => {
                let things = self.things.get(A_MINUTE, Things::read(&self.client)).await;
                review::page(&self.look(&self.mirror.world(), query), things.as_deref())
            }
            "evidence" => {
                let trust = Trust::default();
                let look = look_at_evidence(&self.client, &self.namespace, &trust);
                let looked = self.evidence.get(A_MINUTE, look).await;
                evidence::page(&self.look(&self.mirror.world(), query), looked.as_deref())
            }
            _ => return None,
        })
    }

    fn look<'a>(&'a self, world: &'a World, query: &'a Query) -> Look<'a> {
        Look { world, now: calls::now(), unmask: self.unmask, namespace: &self.namespace, query }
    }

    /// Whether everything is stopped.
    async fn stopped(&self) -> Stop {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
        let read = async {
            let map = ask("read the global stop", api.get_opt(names::STOP)).await?;
            Ok::<_, Failure>(stop::reason(map.as_ref()).map_or(Stop::Open, Stop::Stopped))
        };
        self.stop.get(A_MOMENT, read).await.map_or_else(Stop::Unknown, |stop| stop.as_ref().clone())
    }

    /// Everybody to whom something happens next, the soonest first.
    async fn coming(&self) -> Arc<Vec<list::Row>> {
        let rows = async {
            let world = self.mirror.world();
            let always = list::Wanted::Upcoming(list::Days { from: None, to: None });
            Ok::<_, Failure>(list::rows(&world, world.people.iter(), always, calls::now()))
        };
        self.coming.get(A_MOMENT, rows).await.unwrap_or_default()
    }
}

/// What stands in the place of what could not be read, and which right it takes.
pub fn unreadable(why: &str, takes: &str) -> Html {
    let said =
        vec![el("p", &[], format!("This cannot be shown with your rights, or not now: {why}")), el("p", &[], takes)];
    el("div", &[("class", "notice waits")], said)
}

/// The first sentence of a page.
pub fn lead(text: &str) -> Html {
    el("p", &[("class", "lead")], text)
}

/// Today, by UTC.
pub fn today(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
pub mod tests;
