//! The API servers behind the Service `kubernetes`: whether a token or a right is refused is asked of each, since each has caches of
//! its own. Where they cannot be reached one by one, the one that answers is asked, and a verdict says so.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::PostParams;

use super::Context;
use crate::kube::calls::{self, call, call_within};
use crate::kube::named::Api;
use crate::kube::outcome::Fault;

/// Where their addresses are.
const SERVICE: &str = "kubernetes";
/// Most that are asked one by one.
const MOST: usize = 8;
/// How long one may take to answer first; one that does not is not asked again.
const FIRST: Duration = Duration::from_secs(2);

/// How long one of several may take to answer a question; one that does not is asked no more.
const ANSWER: Duration = Duration::from_secs(5);

/// Those that are asked.
#[derive(Default)]
pub struct Servers {
    each: Vec<Server>,
    /// How many there are; none where that may not be read.
    found: Option<usize>,
}

struct Server {
    client: Client,
    /// It stopped answering: it is asked no more.
    lost: AtomicBool,
}

impl Servers {
    /// Finds them, and says hello to each. Nothing of this fails: what cannot be reached is not asked.
    pub async fn find(ctx: &Context) -> Self {
        let slices: Api<EndpointSlice> = Api::namespaced(ctx.client.clone(), "default");
        let slice = match call("look for the API servers", slices.get_opt(SERVICE)).await {
            Ok(slice) => slice,
            Err(fault) => {
                tracing::info!(%fault, "the API servers are not known one by one");
                return Self::default();
            }
        };
        let addresses = slice.as_ref().map(addresses).unwrap_or_default();
        let found = Some(addresses.len()).filter(|count| *count > 0);
        if addresses.len() < 2 {
            return Self { each: Vec::new(), found }; // it is the one that is asked anyway
        }
        let hellos = addresses.into_iter().take(MOST).map(|address| async move {
            let client = calls::client_at(&address).await.ok()?;
            let api: Api<SelfSubjectReview> = Api::all(client.clone());
            let (params, asked) = (PostParams::default(), SelfSubjectReview::default());
            let hello = api.create(&params, &asked);
            call_within(FIRST, "ask an API server who this is", hello).await.ok()?;
            Some(Server { client, lost: AtomicBool::new(false) })
        });
        let each: Vec<Server> = join_all(hellos).await.into_iter().flatten().collect();
        tracing::info!(found, reached = each.len(), "API servers");
        Self { each, found }
    }

    fn standing(&self) -> impl Iterator<Item = &Server> {
        self.each.iter().filter(|server| !server.lost.load(Ordering::Relaxed))
    }

    /// How many were asked, in words.
    pub fn coverage(&self) -> String {
        let asked = self.standing().count().max(1);
        match self.found {
            Some(found) => format!("{asked} of {found} API servers asked"),
            None => "1 API server asked; how many there are is not known".to_owned(),
        }
    }

    /// Whether any of them says yes.
    ///
    /// # Errors
    /// Where none answers: the fault of the one that is asked otherwise.
    pub async fn any(&self, client: &Client, ask: impl AsyncFn(Client) -> Result<bool, Fault>) -> Result<bool, Fault> {
        let ask = &ask;
        let answers = self.standing().map(|server| async move {
            let late = |_| Err(Fault::unanswered("ask an API server"));
            let answer = tokio::time::timeout(ANSWER, ask(server.client.clone())).await.unwrap_or_else(late);
            if let Err(fault) = &answer {
                tracing::warn!(%fault, "an API server answers no more, and is asked no more");
                server.lost.store(true, Ordering::Relaxed);
            }
            answer.ok()
        });
        let answers: Vec<bool> = join_all(answers).await.into_iter().flatten().collect();
        if answers.is_empty() { ask(client.clone()).await } else { Ok(answers.contains(&true)) }
    }
}

/// `address:port` of each, in their order, each once.
fn addresses(slice: &EndpointSlice) -> Vec<String> {
    let ports = slice.ports.iter().flatten();
    let port = ports.filter(|port| port.name.as_deref().is_none_or(|name| name == "https")).find_map(|port| port.port);
    let ready = slice
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true)));
    let written = |address: &String| {
        let address = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        Some(format!("{address}:{}", port?))
    };
    let all: BTreeSet<String> = ready.flat_map(|endpoint| &endpoint.addresses).filter_map(written).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client() -> Client {
        crate::kube::scenario::Scenario::default().client()
    }

    fn servers(count: usize, found: Option<usize>) -> Servers {
        let server = || Server { client: client(), lost: AtomicBool::new(false) };
        Servers { each: std::iter::repeat_with(server).take(count).collect(), found }
    }

    #[test]
    fn the_addresses_of_api_servers_are_those_that_are_ready_each_once() {
        let slice = |endpoints: serde_json::Value, ports: serde_json::Value| -> EndpointSlice {
            serde_json::from_value(json!({"addressType": "IPv4", "endpoints": endpoints, "ports": ports})).unwrap()
        };
        let https = || json!([{"name": "https", "port": 6443, "protocol": "TCP"}]);
        let endpoint = |address: &str, ready: bool| json!({"addresses": [address], "conditions": {"ready": ready}});
        for (what, slice, expected) in [
            ("one", slice(json!([endpoint("192.0.2.1", true)]), https()), vec!["192.0.2.1:6443"]),
            (
                "three, one of which is not ready, and one twice",
                slice(
                    json!([
                        endpoint("192.0.2.2", true),
                        endpoint("192.0.2.3", false),
                        endpoint("192.0.2.1", true),
                        endpoint("192.0.2.1", true)
                    ]),
                    https(),
                ),
                vec!["192.0.2.1:6443", "192.0.2.2:6443"],
            ),
            ("of version 6", slice(json!([endpoint("2001:db8::1", true)]), https()), vec!["[2001:db8::1]:6443"]),
            ("without a port", slice(json!([endpoint("192.0.2.1", true)]), json!([])), vec![]),
        ] {
            assert_eq!(addresses(&slice), expected, "{what}");
        }
    }

    #[tokio::test]
    async fn what_one_of_them_accepts_is_accepted_and_one_that_is_gone_is_asked_no_more() {
        for (what, answers, expected, coverage) in [
            ("all refuse", vec![Ok(false), Ok(false), Ok(false)], Some(false), "3 of 3 API servers asked"),
            ("one is behind", vec![Ok(false), Ok(true), Ok(false)], Some(true), "3 of 3 API servers asked"),
            ("one is gone", vec![Ok(false), Err(()), Ok(false)], Some(false), "2 of 3 API servers asked"),
            (
                "all are gone, and the one behind the Service too",
                vec![Err(()), Err(()), Err(())],
                None,
                "1 of 3 API servers asked",
            ),
        ] {
            let servers = servers(3, Some(3));
            let next = std::sync::Mutex::new(answers.into_iter());
            let ask = async |_: Client| match next.lock().unwrap().next() {
                Some(Ok(answer)) => Ok(answer),
                _ => Err(Fault::unanswered("review a canary")),
            };
            assert_eq!(servers.any(&client(), ask).await.ok(), expected, "{what}");
            assert_eq!(servers.coverage(), coverage, "{what}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_never_answers_holds_up_the_others_once_and_not_for_long() {
        let servers = servers(2, Some(2));
        for (asked, at_most, coverage) in [(2, 5, "1 of 2 API servers asked"), (1, 0, "1 of 2 API servers asked")] {
            let (begun, questions) = (tokio::time::Instant::now(), std::sync::atomic::AtomicUsize::new(0));
            let ask = async |_: Client| match questions.fetch_add(1, Ordering::Relaxed) {
                0 => Ok(false),
                _ => std::future::pending().await,
            };
            assert_eq!(servers.any(&client(), ask).await.ok(), Some(false));
            assert_eq!((questions.into_inner(), servers.coverage().as_str()), (asked, coverage));
            assert!(begun.elapsed() <= Duration::from_secs(at_most), "{:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn where_they_are_not_known_one_by_one_the_one_that_answers_is_asked() {
        for (found, coverage) in [
            (Some(1), "1 of 1 API servers asked"),
            (Some(3), "1 of 3 API servers asked"),
            (None, "1 API server asked; how many there are is not known"),
        ] {
            let servers = servers(0, found);
            assert_eq!(servers.any(&client(), async |_: Client| Ok(true)).await.ok(), Some(true));
            assert_eq!(servers.coverage(), coverage);
        }
    }
}
