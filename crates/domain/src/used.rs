//! Use after the exit: what an audit log says of the user names and accounts of people who have left.
//!
//! Pure. A request that was refused because nobody knows its token any more carries no user name: of those there is only a number.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

/// The API server keeps a token's acceptance for ten seconds; a second more for its clock.
const CACHE: SignedDuration = SignedDuration::from_secs(11);
/// Most addresses and verbs that are kept of each.
const MOST: usize = 16;

/// A user name or an account that a leaver had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose: the name of the Person.
    pub person: String,
    /// By which Revocation it was ended.
    pub revocation: String,
    /// As the API server sees it.
    pub name: String,
    /// Of an account: the uid that was ended. Another uid is another account of that name.
    pub uid: Option<String>,
    /// When it was ended.
    pub since: Timestamp,
}

/// One request, as the audit log has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Its id: a request may be noted at several stages.
    pub id: String,
    /// When it was received.
    pub at: Timestamp,
    /// Who sent it; empty where nobody could be told.
    pub user: String,
    /// The uid of who sent it, of an account.
    pub uid: String,
    /// Who they acted as, by impersonation.
    pub acting_as: Option<String>,
    /// `get`, `create`, …
    pub verb: String,
    /// Code of the answer.
    pub code: u16,
    /// Where it came from.
    pub addresses: Vec<String>,
    /// Of a watch, an exec, an attach, a port-forward or a proxied stream: whether it had ended by then. It is checked once, when it is
    /// opened, and goes on until it is closed.
    pub session: Option<Session>,
}

/// How far something that lasts is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It began.
    Begun,
    /// It ended.
    Ended,
}

/// How often one identity was used after it was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Requests that were refused: 401 and 403.
    pub refused: u64,
    /// Requests that were let in, whatever came of them.
    pub allowed: u64,
    /// Of these, those with a token of the very account that was ended, later than the API server's cache explains.
    pub dead: u64,
    /// Watches, execs and the like that were opened, before the exit or after it, and not seen to end.
    pub open: u64,
    /// The first request.
    pub first: Option<Timestamp>,
    /// The last one.
    pub last: Option<Timestamp>,
    /// What was asked.
    pub verbs: BTreeSet<String>,
    /// Where it came from.
    pub addresses: BTreeSet<String>,
}

/// The count of a whole log.
#[derive(Debug)]
pub struct Tally<'a> {
    by_name: BTreeMap<&'a str, Vec<(usize, &'a Identity)>>,
    noted: BTreeSet<(String, usize)>,
    uses: BTreeMap<usize, Use>,
    /// What lasts, by id and identity.
    open: BTreeSet<(String, usize)>,
    /// What is over, in whatever order the log has it.
    over: BTreeSet<(String, usize)>,
    /// The earliest end of all.
    since: Option<Timestamp>,
    /// Requests since then whose token nobody knows, and so nobody's name: 401.
    pub nameless: u64,
    /// Requests that were read.
    pub read: u64,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(identities: &'a [Identity]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<(usize, &Identity)>> = BTreeMap::new();
        for (position, identity) in identities.iter().enumerate() {
            by_name.entry(&identity.name).or_default().push((position, identity));
        }
        let since = identities.iter().map(|identity| identity.since).min();
        Self {
            by_name,
            noted: BTreeSet::new(),
            uses: BTreeMap::new(),
            open: BTreeSet::new(),
            over: BTreeSet::new(),
            since,
            nameless: 0,
            read: 0,
        }
    }

    /// Takes one request in.
    pub fn add(&mut self, request: &Request) {
        self.read = self.read.saturating_add(1);
        if request.user.is_empty() && request.code == 401 && self.since.is_some_and(|since| request.at > since) {
            self.nameless = self.nameless.saturating_add(1);
        }
        let named: BTreeSet<&str> =
            [Some(request.user.as_str()), request.acting_as.as_deref()].into_iter().flatten().collect();
        let meant: Vec<(usize, &Identity)> =
            named.iter().filter_map(|name| self.by_name.get(name)).flatten().copied().collect();
        for (position, identity) in meant {
            let key = (request.id.clone(), position);
            match request.session.filter(|_| request.code < 400) {
                Some(Session::Begun) => drop(self.open.insert(key.clone())),
                Some(Session::Ended) => drop(self.over.insert(key.clone())),
                None => {}
            }
            if request.at > identity.since && self.noted.insert(key) {
                self.uses.entry(position).or_default().note(request, identity);
            }
        }
    }

    /// Each identity that was used, with how often, in the order in which they were given.
    #[must_use]
    pub fn uses(&self) -> BTreeMap<usize, Use> {
        let mut uses = self.uses.clone();
        for (_, position) in self.open.difference(&self.over) {
            let used = uses.entry(*position).or_default();
            used.open = used.open.saturating_add(1);
        }
        uses
    }
}

impl Use {
    fn note(&mut self, request: &Request, identity: &Identity) {
        match request.code {
            401 | 403 => self.refused = self.refused.saturating_add(1),
            _ => self.allowed = self.allowed.saturating_add(1),
        }
        let itself = identity.uid.as_ref().is_some_and(|uid| *uid == request.uid && request.user == identity.name);
        if itself && !matches!(request.code, 401 | 403) && request.at > identity.since + CACHE {
            self.dead = self.dead.saturating_add(1);
        }
        self.first = self.first.map_or(Some(request.at), |first| Some(first.min(request.at)));
        self.last = self.last.max(Some(request.at));
        if self.verbs.len() < MOST {
            self.verbs.insert(request.verb.clone());
        }
        let room = MOST.saturating_sub(self.addresses.len());
        self.addresses.extend(request.addresses.iter().take(room).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn identities() -> Vec<Identity> {
        let identity = |person: &str, name: &str, uid: Option<&str>, second: i64| Identity {
            person: person.into(),
            revocation: format!("{person}-cut"),
            name: name.into(),
            uid: uid.map(str::to_owned),
            since: at(second),
        };
        vec![
            identity("p-7", "oidc:ada@example.com", None, 0),
            identity("p-7", "system:serviceaccount:apps:ada", Some("old"), 0),
            identity("p-8", "oidc:ben@example.com", None, 100),
        ]
    }

    fn request(second: i64, user: &str, code: u16) -> Request {
        let (id, verb) = (format!("{user} {second}"), "get".to_owned());
        Request { id, at: at(second), user: user.into(), code, verb, ..Request::default() }
    }

    /// What a log of these requests says: `identity refused/allowed/dead`, and how many are nobody's.
    fn counted(requests: &[Request]) -> (Vec<String>, u64) {
        let identities = identities();
        let mut tally = Tally::new(&identities);
        requests.iter().for_each(|request| tally.add(request));
        let word =
            |(position, used): (usize, &Use)| format!("{position} {}/{}/{}", used.refused, used.allowed, used.dead);
        (tally.uses().iter().map(|(position, used)| word((*position, used))).collect(), tally.nameless)
    }

    #[test]
    fn what_a_leaver_does_after_the_exit_is_counted_and_nothing_else() {
        let (ada, account) = ("oidc:ada@example.com", "system:serviceaccount:apps:ada");
        let acting = |second, user: &str, acting_as: &str| Request {
            acting_as: Some(acting_as.into()),
            ..request(second, user, 403)
        };
        let token = |second, uid: &str, code| Request { uid: uid.into(), ..request(second, account, code) };
        for (what, requests, expected) in [
            ("before the exit", vec![request(-1, ada, 200)], vec![]),
            ("a colleague", vec![request(5, "oidc:eve@example.com", 200)], vec![]),
            ("refused by RBAC, or by the freeze", vec![request(5, ada, 403), request(6, ada, 403)], vec!["0 2/0/0"]),
            ("let in", vec![request(5, ada, 200), request(6, ada, 404)], vec!["0 0/2/0"]),
            ("noted at two stages", vec![request(5, ada, 200), request(5, ada, 200)], vec!["0 0/1/0"]),
            ("somebody acts as the leaver", vec![acting(5, "eve", ada)], vec!["0 1/0/0"]),
            ("the leaver acts as somebody", vec![acting(5, ada, "eve")], vec!["0 1/0/0"]),
            ("a name in another case is another user", vec![request(5, "oidc:Ada@example.com", 200)], vec![]),
            ("the old token, by the cache", vec![token(10, "old", 200)], vec!["1 0/1/0"]),
            ("the old token, later than that", vec![token(12, "old", 200)], vec!["1 0/1/1"]),
            ("a new token of the recreated account", vec![token(12, "new", 200)], vec!["1 0/1/0"]),
            ("each after their own exit", vec![request(50, "oidc:ben@example.com", 200)], vec![]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(counted(&requests), (expected, 0), "{what}");
        }
    }

    #[test]
    fn a_token_that_nobody_knows_is_a_number_and_no_name() {
        let refused = [request(-5, "", 401), request(5, "", 401), request(6, "", 401), request(7, "", 403)];
        assert_eq!(counted(&refused), (vec![], 2));
        let nobody_left = Tally::new(&[]);
        assert_eq!((nobody_left.nameless, nobody_left.uses().len()), (0, 0));
    }

    #[test]
    fn what_was_opened_and_not_seen_to_end_goes_on_whenever_it_was_opened() {
        use Session::{Begun, Ended};
        let ada = "oidc:ada@example.com";
        let session = |id: &str, second, code, session| Request {
            id: id.into(),
            session: Some(session),
            ..request(second, ada, code)
        };
        for (what, requests, expected) in [
            ("a watch of before", vec![session("w", -60, 200, Begun)], 1),
            ("one that ended", vec![session("w", -60, 200, Begun), session("w", -60, 200, Ended)], 0),
            ("in whatever order", vec![session("w", -60, 200, Ended), session("w", -60, 200, Begun)], 0),
            ("an exec that was refused", vec![session("e", 5, 403, Begun)], 0),
            ("two", vec![session("w", -60, 200, Begun), session("e", -30, 101, Begun)], 2),
        ] {
            let identities = identities();
            let mut tally = Tally::new(&identities);
            requests.iter().for_each(|request| tally.add(request));
            assert_eq!(tally.uses().get(&0).map_or(0, |used| used.open), expected, "{what}");
        }
    }
}
