//! What may go wrong with one call, and with which: a call is told by what it does and for whom, not by its number, so that many people
//! leave at once and each has a mishap of their own.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::Response;
use domain::spelled;
use serde_json::json;

/// How late an answer comes,
pub const SLOW: Duration = Duration::from_secs(3);
/// and how late a request arrives whose sender has given it up.
pub const LATE: Duration = Duration::from_secs(4);

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mishap {
    /// It is done, and the process dies before it hears of it.
    Crash,
    /// It is done, and the answer comes late.
    Delay,
    /// The connection breaks, and the request arrives later all the same.
    ArrivesLate,
    /// The connection breaks, and the request never arrives.
    Drop,
    /// It is done, and the connection breaks before the answer.
    AnswerLost,
    /// It is done twice, and the second answer comes back.
    Duplicate,
    /// It is answered as it was answered before.
    Stale,
    /// 409.
    Conflict,
    /// 410.
    Gone,
    /// 429.
    TooMany,
    /// 500.
    Internal,
}

spelled!(Mishap {
    Crash => "Crash",
    Delay => "Delay",
    ArrivesLate => "ArrivesLate",
    Drop => "Drop",
    AnswerLost => "AnswerLost",
    Duplicate => "Duplicate",
    Stale => "Stale",
    Conflict => "Conflict",
    Gone => "Gone",
    TooMany => "TooMany",
    Internal => "Internal",
});

impl Mishap {
    /// Whether it means anything for such a call: what only reads has no second effect, and what writes is not answered from a cache.
    pub fn suits(self, call: &str) -> bool {
        let reads = call.starts_with("GET ");
        match self {
            Self::Crash | Self::Delay | Self::Drop | Self::TooMany | Self::Internal => true,
            Self::ArrivesLate | Self::AnswerLost | Self::Duplicate | Self::Conflict => {
                !reads && !call.contains("reviews")
            }
            Self::Stale => reads && !call.contains("watch"),
            Self::Gone => reads,
        }
    }

    /// The failure that it is answered with, if it is.
    pub fn failure(self) -> Option<Response> {
        let (code, reason) = match self {
            Self::Conflict => (409, "Conflict"),
            Self::Gone => (410, "Expired"),
            Self::TooMany => (429, "TooManyRequests"),
            Self::Internal => (500, "InternalError"),
            _ => return None,
        };
        let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "said by the test", "reason": reason, "code": code});
        let answer = Response::builder().status(StatusCode::from_u16(code).unwrap());
        let answer = answer.header(header::CONTENT_TYPE, "application/json").header(header::RETRY_AFTER, "1");
        Some(answer.body(Body::from(status.to_string())).unwrap())
    }
}

/// An answer whose connection breaks.
pub fn broken() -> Response {
    let end = async { Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset)) };
    Response::new(Body::from_stream(futures::stream::once(end)))
}

/// Whom calls are for, and what is another one in each story.
#[derive(Default)]
pub struct Names {
    /// Texts of this story, and what stands for them.
    pub words: Vec<(String, String)>,
    /// Persons by their names.
    pub people: BTreeMap<String, String>,
    /// What the objects of a person are called, before the id.
    pub objects: Vec<&'static str>,
}

impl Names {
    /// What a call does, without whose it is and without what is made up each time; and whose it is, if it is anybody's.
    fn told(&self, method: &str, path: &str, query: &str) -> (String, Option<String>) {
        let asked = query.split('&').filter(|part| part.starts_with("fieldSelector=") || part.starts_with("watch="));
        let asked: Vec<&str> = asked.map(|part| part.split("%28").next().unwrap_or(part)).collect();
        let mut call = format!("{method} {path}");
        if !asked.is_empty() {
            call = format!("{call}?{}", asked.join("&"));
        }
        for (word, stands_for) in &self.words {
            call = call.replace(word.as_str(), stands_for);
        }
        let mut whose = None;
        let person = self.people.iter().find(|(name, _)| call.contains(name.as_str()));
        if let Some((name, id)) = person {
            whose = Some(id.clone());
            call = call.replace(name.as_str(), "{}");
        }
        for object in &self.objects {
            let Some(at) = call.find(*object) else { continue };
            let from = at + object.len();
            let id: String = call[from..].chars().take_while(char::is_ascii_digit).collect();
            if !id.is_empty() {
                call.replace_range(from..from + id.len(), "{}");
                whose = Some(id);
            }
        }
        (without_made_up(&call), whose)
    }
}

/// Without parts of names that are another one each time: digests, times, numbers.
fn without_made_up(call: &str) -> String {
    let made_up = |part: &str| {
        part.len() >= 6 && part.chars().all(|c| c.is_ascii_hexdigit()) && part.chars().any(|c| c.is_ascii_digit())
    };
    let segments = call.split('/').map(|segment| {
        let parts = segment.split('-').map(|part| if made_up(part) { "#" } else { part });
        parts.collect::<Vec<_>>().join("-")
    });
    segments.collect::<Vec<_>>().join("/")
}

/// One mishap that is to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What the call does.
    pub call: String,
    /// The first of its kind, or the second.
    pub nth: usize,
    /// What goes wrong.
    pub mishap: Mishap,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at call {} of {}", self.mishap.as_str(), self.nth, self.call)
    }
}

/// The mishaps of one process, and the calls it made.
#[derive(Default)]
pub struct Mishaps(Mutex<State>);

#[derive(Default)]
struct State {
    names: Names,
    /// For whom each is, and whether it has happened.
    planned: Vec<(String, Planned, bool)>,
    /// How often each call was made, for whom.
    seen: HashMap<(String, Option<String>), usize>,
    /// What each address answered: last, and before that if it was something else.
    answered: HashMap<String, (Option<Answer>, Answer)>,
}

/// An answer as it came.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// Its code.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let head = Response::builder().status(answer.status).header(header::CONTENT_TYPE, "application/json");
        head.body(Body::from(answer.body)).unwrap()
    }
}

impl Mishaps {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on calls are told apart by these names.
    pub fn know(&self, names: Names) {
        self.state().names = names;
    }

    /// Plans one for each of these people, in place of what was planned; calls are counted from 1 again.
    pub fn plan(&self, planned: Vec<(String, Planned)>) {
        let mut state = self.state();
        state.planned = planned.into_iter().map(|(id, planned)| (id, planned, false)).collect();
        state.seen.clear();
    }

    /// What was made since, and how often: for this person, and for nobody in particular.
    pub fn made(&self, id: &str) -> BTreeMap<String, usize> {
        let state = self.state();
        let theirs = state.seen.iter().filter(|((_, whose), _)| whose.as_deref().is_none_or(|whose| whose == id));
        theirs.map(|((call, _), times)| (call.clone(), *times)).collect()
    }

    /// Whom the mishaps were planned for that have happened.
    pub fn happened(&self) -> Vec<String> {
        self.state().planned.iter().filter(|(_, _, happened)| *happened).map(|(id, _, _)| id.clone()).collect()
    }

    /// Whether answers are remembered.
    pub fn remember(&self) -> bool {
        !self.state().names.objects.is_empty()
    }

    /// Counts a call, and says what is to go wrong with it.
    pub fn meets(&self, method: &str, path: &str, query: &str) -> Option<Mishap> {
        let mut state = self.state();
        if state.names.objects.is_empty() {
            return None;
        }
        let (call, whose) = state.names.told(method, path, query);
        let times = state.seen.entry((call.clone(), whose.clone())).or_default();
        *times += 1;
        let times = *times;
        let its = |id: &str, planned: &Planned| {
            planned.call == call && planned.nth <= times && whose.as_ref().is_none_or(|whose| whose == id)
        };
        let (_, planned, happened) =
            state.planned.iter_mut().find(|(id, planned, happened)| !*happened && its(id, planned))?;
        *happened = true;
        Some(planned.mishap)
    }

    /// Notes an answer, and gives the one that came from there before, of those that were another one.
    pub fn answered(&self, address: &str, answer: &Answer) -> Option<Answer> {
        let mut state = self.state();
        match state.answered.get_mut(address) {
            None => {
                state.answered.insert(address.to_owned(), (None, answer.clone()));
                None
            }
            Some((before, last)) if *last == *answer => before.clone(),
            Some((before, last)) => {
                *before = Some(std::mem::replace(last, answer.clone()));
                before.clone()
            }
        }
    }
}

#[test]
fn a_call_is_told_by_what_it_does_and_for_whom() {
    let names = Names {
        words: vec![("faults-0a1b2c".into(), "ns".into())],
        people: BTreeMap::from([("p-abc".to_owned(), "1007".to_owned())]),
        objects: vec!["account-", "shared-"],
    };
    let told = |method: &str, path: &str, query: &str| names.told(method, path, query);
    let of = |id: &str| Some(id.to_owned());
    let apps = "/api/v1/namespaces/faults-0a1b2c-apps/serviceaccounts";
    for (method, path, query, call, whose) in [
        (
            "DELETE",
            format!("{apps}/account-1008"),
            "",
            "DELETE /api/v1/namespaces/ns-apps/serviceaccounts/account-{}",
            of("1008"),
        ),
        (
            "GET",
            apps.to_owned(),
            "&fieldSelector=metadata.name%3Daccount-1008&limit=5",
            "GET /api/v1/namespaces/ns-apps/serviceaccounts?fieldSelector=metadata.name%3Daccount-{}",
            of("1008"),
        ),
        (
            "PATCH",
            "/x/revocations/p-abc-1a2b3c4d-cut/status".into(),
            "force=true",
            "PATCH /x/revocations/{}-#-cut/status",
            of("1007"),
        ),
        ("GET", "/x/jobs".into(), "watch=true&resourceVersion=7", "GET /x/jobs?watch=true", None),
        ("POST", "/x/evidence-00000012".into(), "", "POST /x/evidence-#", None),
    ] {
        assert_eq!(told(method, &path, query), (call.to_owned(), whose), "{path}");
    }
}
