//! Every folder of the catalogue, read over real HTTP from a fake of its system: as it should be, and with every fault
//! a system is known for. None may end in a wrong employee, or in a missing one that looks like a whole answer.
//!
//! Folders are read as they lie there, the definition too: those under `connectors/`, or under `ROLLCALL_CONNECTORS`;
//! `ROLLCALL_ONLY=a,b` takes these alone, and `ROLLCALL_PRINT=1` prints what was found as `expected.json` writes it.
//!
//! `pages/answers.json` says what the fake answers: `signedIn` are headers that every request but a sign-in must have,
//! and `answers` are given in turn to the requests for the same method and path. `with` has to be in the query, or in
//! the text of the body.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::super::definition::Where;
use super::super::row::Slot;
use super::*;

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Script {
    signed_in: BTreeMap<String, String>,
    answers: Vec<Scripted>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripted {
    to: String,
    #[serde(default)]
    with: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default = "fine")]
    status: u16,
    #[serde(default)]
    file: Option<String>,
    #[serde(skip)]
    text: String,
}

impl Scripted {
    /// A token may be asked for again and again.
    fn is_token(&self) -> bool {
        self.file.as_deref() == Some("token.json")
    }
}

fn fine() -> u16 {
    200
}

#[allow(clippy::disallowed_methods, reason = "tests have no command line of their own")]
fn said(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

/// Where the folders lie.
fn root() -> PathBuf {
    said("ROLLCALL_CONNECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("connectors"), PathBuf::from)
}

/// The folders that are read.
fn folders() -> Vec<String> {
    let only = said("ROLLCALL_ONLY");
    let mut names: Vec<_> = match &only {
        Some(only) => only.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        None => fs::read_dir(root()).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap()).collect(),
    };
    names.sort();
    names
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    ThrottledOnce,
    ThrottledForEver,
    Expired,
    Lost,
    Repeated,
    Total,
    Empty,
    Forbidden,
    Gone(Slot),
    Html,
    Cut,
    Drip,
    Oversized,
    Redirect,
    Certificate,
}

/// One folder of the catalogue.
struct Folder {
    name: String,
    definition: Definition,
    expected: Value,
    script: Script,
}

impl Folder {
    fn open(name: &str) -> Result<Self, String> {
        let folder = root().join(name);
        let text =
            |file: &str| fs::read_to_string(folder.join(file)).map_err(|error| format!("{name}/{file}: {error}"));
        let json = |file: &str| serde_json::from_str(&text(file)?).map_err(|error| format!("{name}/{file}: {error}"));
        let definition = Definition::parse(&format!("{name}/connector.yaml"), &text("connector.yaml")?);
        let definition = definition.map_err(|refused| refused.to_string())?;
        let expected: Value = json("expected.json")?;
        let script = serde_json::from_value(json("pages/answers.json")?);
        let mut script: Script = script.map_err(|error| format!("{name}/pages/answers.json: {error}"))?;
        for answer in &mut script.answers {
            answer.text =
                answer.file.as_ref().map(|file| text(&format!("pages/{file}"))).transpose()?.unwrap_or_default();
        }
        let folder = Self { name: name.to_owned(), definition, expected, script };
        let given = serde_json::from_value(folder.expected["parameters"].clone());
        let given = given.map_err(|error| format!("{name}/expected.json: parameters: {error}"))?;
        folder.definition.resolve(&given)?;
        let asked = folder.script.answers.iter().any(|answer| answer.to == folder.path());
        if asked { Ok(folder) } else { Err(format!("{name}: no answer to {}", folder.path())) }
    }

    fn parameters(&self) -> BTreeMap<String, String> {
        serde_json::from_value(self.expected["parameters"].clone()).unwrap()
    }

    /// The path on which the people are asked for.
    fn path(&self) -> String {
        let people = &self.definition.people[0].request;
        let base = Url::parse(&self.base()).unwrap();
        let values = self.definition.resolve(&self.parameters()).unwrap();
        let path = super::super::template::fill(&people.path, |name| values.get(name).cloned()).unwrap();
        let verb = if people.search.is_some() { "POST" } else { "GET" };
        format!("{verb} {}{path}", base.path().trim_end_matches('/'))
    }

    fn base(&self) -> String {
        self.definition.base(&self.definition.resolve(&self.parameters()).unwrap()).unwrap()
    }

    /// How many pages of people there are.
    fn pages(&self) -> usize {
        self.script.answers.iter().filter(|answer| answer.to == self.path()).count()
    }

    /// The source, found at another place than the real one.
    fn source(&self, url: &str) -> Source {
        let mut definition = self.definition.clone();
        let path = Url::parse(&self.base()).unwrap().path().trim_end_matches('/').to_owned();
        definition.base_url = format!("{url}{path}");
        if let Some(token) = &mut definition.auth.token {
            let (_, rest) = token.url.split_once("://").unwrap();
            token.url = format!("{url}/{}", rest.split_once('/').unwrap().1);
        }
        let credentials = definition.credentials.keys().map(|key| (key.clone(), SecretString::from(SECRET))).collect();
        Source::Api(Box::new(ApiSource {
            definition,
            parameters: self.parameters(),
            credentials,
            keeper: Some(Arc::new(Shelf::default())),
            clock: then,
        }))
    }

    /// Reads from a fake that has one fault. Also, what the fake was asked and could not answer.
    async fn read(&self, fault: Fault) -> (Result<Read, Failure>, Vec<String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Arc::new(Mutex::new(Vendor::new(self, fault, &url)));
        let answering = Arc::clone(&fake);
        let handler = move |request: Asked| {
            let fake = Arc::clone(&answering);
            async move {
                let (head, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                fake.lock().unwrap().answer(&head, &String::from_utf8_lossy(&body))
            }
        };
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let url = if fault == Fault::Certificate { url.replace("http:", "https:") } else { url };
        let budget = if fault == Fault::Drip { Duration::from_millis(400) } else { LONG };
        let as_of = self.expected["asOf"].as_str().unwrap().parse().unwrap();
        let read = read_with(&self.source(&url), &NEAR, budget, as_of, HURRIED).await;
        let mut fake = fake.lock().unwrap();
        let signed_in = fake.signed_in_once;
        let token = |left: &VecDeque<Scripted>| left.front().is_some_and(Scripted::is_token);
        let unasked = fake.left.iter().filter(|(_, left)| !(left.is_empty() || signed_in && token(left)));
        let unasked: Vec<_> = unasked.map(|(to, _)| to.clone()).collect();
        fake.surprises.extend(unasked.into_iter().map(|to| format!("never asked: {to}")));
        (read, std::mem::take(&mut fake.surprises))
    }
}

/// A fake of one system.
struct Vendor {
    fault: Fault,
    people: String,
    signed_in: BTreeMap<String, String>,
    left: HashMap<String, VecDeque<Scripted>>,
    first: Option<Scripted>,
    asked: usize,
    signed_in_once: bool,
    surprises: Vec<String>,
    gone: Vec<String>,
}

impl Vendor {
    fn new(folder: &Folder, fault: Fault, url: &str) -> Self {
        let mut left: HashMap<String, VecDeque<Scripted>> = HashMap::new();
        let real = Url::parse(&folder.base()).unwrap().origin().ascii_serialization();
        for mut answer in folder.script.answers.clone() {
            answer.text = answer.text.replace(&real, url);
            answer.headers.values_mut().for_each(|value| *value = value.replace(&real, url));
            left.entry(answer.to.clone()).or_default().push_back(answer);
        }
        let people = folder.path();
        let pages = left.get_mut(&people).unwrap_or_else(|| panic!("{}: no answer to {people}", folder.name));
        match fault {
            Fault::Lost => drop(pages.remove(1)),
            Fault::Repeated => {
                let again = pages[0].clone();
                pages.insert(1, again);
            }
            Fault::Total => other_total(pages.back_mut().unwrap(), folder.definition.people[0].total.as_ref().unwrap()),
            _ => {}
        }
        let gone = match fault {
            Fault::Gone(slot) => keys_of(&folder.definition, slot),
            _ => Vec::new(),
        };
        let first = pages.front().cloned();
        let signed_in = folder.script.signed_in.clone();
        Self { fault, people, signed_in, left, first, asked: 0, signed_in_once: false, surprises: Vec::new(), gone }
    }

    fn answer(&mut self, head: &axum::http::request::Parts, body: &str) -> Response {
        let to = format!("{} {}", head.method, head.uri.path());
        let plain = |status: u16| Response::builder().status(status).body(Body::empty()).unwrap();
        let sign_in = self.left.get(&to).and_then(VecDeque::front).is_some_and(Scripted::is_token);
        if !sign_in {
            for (name, value) in &self.signed_in {
                if head.headers.get(name).and_then(|value| value.to_str().ok()) != Some(value) {
                    self.surprises.push(format!("{to}: not signed in by {name}"));
                    return plain(401);
                }
            }
            self.asked += 1;
            if let Some(response) = self.spoilt(&to) {
                return response;
            }
        }
        let next =
            self.left.get_mut(&to).and_then(|left| if sign_in { left.front().cloned() } else { left.pop_front() });
        self.signed_in_once |= sign_in;
        let Some(next) = next else {
            self.surprises.push(format!("nobody expected {to}?{}", head.uri.query().unwrap_or_default()));
            return plain(404);
        };
        let url = Url::parse(&format!("http://x{}", head.uri)).unwrap();
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        for (name, value) in &next.with {
            if self.fault == Fault::None && query.get(name) != Some(value) && !body.contains(&value.to_string()) {
                self.surprises.push(format!("{to}: {name} is {:?}, not {value}", query.get(name)));
            }
        }
        let mut text = next.text.clone();
        for key in &self.gone {
            text = text.replace(&format!("\"{key}\":"), "\"somethingElse\":");
        }
        let head = Response::builder().status(next.status).header("content-type", "application/json");
        let head = next.headers.iter().fold(head, |head, (name, value)| head.header(name, value));
        head.body(Body::from(text)).unwrap()
    }

    /// The answer of a system with a fault, where it is no longer its own.
    fn spoilt(&mut self, to: &str) -> Option<Response> {
        let people = to == self.people;
        let first = self.first.clone().unwrap();
        let answer = |status: u16, headers: &[(&str, &str)], body: Body| {
            let head = headers.iter().fold(Response::builder().status(status), |head, (k, v)| head.header(*k, *v));
            Some(head.body(body).unwrap())
        };
        let later = &[("retry-after", "0")];
        match self.fault {
            Fault::ThrottledOnce if self.asked == 1 => answer(429, later, Body::empty()),
            Fault::ThrottledForEver if people => answer(429, later, Body::empty()),
            Fault::Expired if self.asked == 2 => answer(401, &[], Body::empty()),
            Fault::Empty if people => answer(200, &[], Body::from("{}")),
            Fault::Forbidden if self.left.values().flatten().filter(|left| !left.is_token()).count() == 1 => {
                answer(403, &[], Body::empty())
            }
            Fault::Html if people => answer(200, &[("content-type", "text/html")], Body::from("<html>Sign in")),
            Fault::Cut if people => {
                let half = first.text.char_indices().nth(first.text.chars().count() / 2).unwrap().0;
                answer(200, &[], Body::from(first.text[..half].to_owned()))
            }
            Fault::Drip if people => {
                let piece = first.text.chars().next().unwrap().to_string();
                answer(
                    200,
                    &[],
                    Body::from_stream(stream::iter([Ok::<_, std::io::Error>(piece)]).chain(stream::pending())),
                )
            }
            Fault::Oversized if people => {
                let endless = stream::pending::<Result<String, std::io::Error>>();
                answer(200, &[("content-length", "67108865")], Body::from_stream(endless))
            }
            Fault::Redirect if people => answer(302, &[("location", "https://login.example.com/")], Body::empty()),
            _ => None,
        }
    }
}

/// The last keys of the paths that lead to a value; for a status that is told by rules, to all they look at.
fn keys_of(definition: &Definition, slot: Slot) -> Vec<String> {
    let joined = definition.joins.values().map(|join| (&join.fields, &join.inputs));
    let detailed = definition.details.values().map(|detail| (&detail.fields, &detail.inputs));
    let groups = std::iter::once((&definition.fields, &definition.inputs)).chain(joined).chain(detailed);
    // Where every value stands under the same word, the key before it is the one that says which.
    let named = |path: &String| {
        let above = path.strip_suffix(".value").filter(|above| !above.ends_with(']'));
        above.unwrap_or(path).to_owned()
    };
    let last =
        |path: &String| named(path).rsplit(['.', ']']).next().unwrap_or_default().trim_matches(['[', '\'']).to_owned();
    groups
        .flat_map(|(fields, inputs)| {
            let ruled = inputs.values().filter(|_| slot == Slot::Status);
            fields
                .get(&slot)
                .into_iter()
                .chain(ruled)
                .flat_map(|value| value.paths.iter().map(last))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Keeps a refresh token that is another one after each use, for one read.
#[derive(Default)]
struct Shelf {
    kept: Mutex<Option<SecretString>>,
    lent: Arc<tokio::sync::Mutex<()>>,
}

impl Keeper for Shelf {
    fn lend<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Lent, String>> {
        Box::pin(async move {
            let place = Box::new(Arc::clone(&self.lent).lock_owned().await);
            let value = self.kept.lock().unwrap().clone().unwrap_or_else(|| SecretString::from(SECRET));
            Ok(Lent { key: key.to_owned(), value, place })
        })
    }

    fn keep(&self, _: Lent, next: SecretString) -> BoxFuture<'_, Result<(), String>> {
        *self.kept.lock().unwrap() = Some(next);
        Box::pin(async { Ok(()) })
    }
}

/// The same page, with one record more announced than before.
fn other_total(page: &mut Scripted, at: &Where) {
    match at {
        Where::Header(name) => {
            let header = page.headers.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)).unwrap().1;
            *header = (header.parse::<usize>().unwrap() + 1).to_string();
        }
        Where::Path(path) => {
            let mut body: Value = serde_json::from_str(&page.text).unwrap();
            let quoted = path.strip_prefix("['").and_then(|path| path.strip_suffix("']"));
            let keys = quoted.map_or_else(|| path.split('.').collect(), |key| vec![key]);
            let place = keys.into_iter().fold(&mut body, |place, key| place.get_mut(key).unwrap());
            *place = json!(place.as_u64().unwrap() + 1);
            page.text = body.to_string();
        }
    }
}

/// What a read found, as `expected.json` writes it.
fn found(read: &Read) -> Value {
    let bad = |bad: &crate::domain::employee::BadRecord| json!({"position": bad.position, "reason": bad.reason});
    json!({
        "employees": read.employees.iter().map(plainly).collect::<Vec<_>>(),
        "bad": read.bad.iter().map(bad).collect::<Vec<_>>(),
        "unmapped": read.unmapped,
        "unmappedTypes": (!read.unmapped_types.is_empty()).then_some(&read.unmapped_types),
        "offered": read.offered.iter().map(|field| format!("{field:?}")).collect::<Vec<_>>(),
        "total": read.announced_total,
    })
}

#[tokio::test]
async fn every_connector_reads_its_recorded_pages_as_expected() {
    let mut wrong = Vec::new();
    for name in folders() {
        let folder = match Folder::open(&name) {
            Ok(folder) => folder,
            Err(why) => {
                wrong.push(why);
                continue;
            }
        };
        let (read, surprises) = folder.read(Fault::None).await;
        wrong.extend(surprises.into_iter().map(|surprise| format!("{name}: {surprise}")));
        wrong.extend(check(&folder.source("https://hr.example.com")).err().map(|why| format!("{name}: {why}")));
        match read {
            Err(failure) => wrong.push(format!("{name}: {failure:?}")),
            Ok(read) => {
                let found = found(&read);
                if said("ROLLCALL_PRINT").is_some() {
                    println!("{}", as_written(&folder, &found));
                }
                let unsaid = |part: &&&str| **part == "unmappedTypes" && folder.expected[**part].is_null();
                let parts = PARTS.iter().filter(|part| !unsaid(part));
                wrong.extend(parts.filter(|part| found[**part] != folder.expected[**part]).map(|part| {
                    format!("{name}: {part}:\n  found    {}\n  expected {}", found[*part], folder.expected[*part])
                }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `expected.json` has beside what it was asked with.
const PARTS: [&str; 6] = ["employees", "bad", "unmapped", "unmappedTypes", "offered", "total"];

/// What was found, as `expected.json` writes it: one employee a line.
fn as_written(folder: &Folder, found: &Value) -> String {
    let asked = ["asOf", "parameters"].map(|part| format!("  \"{part}\": {}", folder.expected[part]));
    let said = PARTS.iter().filter(|part| **part != "unmappedTypes" || !found[**part].is_null());
    let parts = said.map(|part| match &found[*part] {
        Value::Array(list) if *part == "employees" => {
            let lines: Vec<_> = list.iter().map(|one| format!("    {one}")).collect();
            format!("  \"{part}\": [\n{}\n  ]", lines.join(",\n"))
        }
        value => format!("  \"{part}\": {value}"),
    });
    format!("{{\n{}\n}}", asked.into_iter().chain(parts).collect::<Vec<_>>().join(",\n"))
}

#[tokio::test]
async fn no_fault_of_a_system_ends_in_a_wrong_or_missing_employee() {
    let wrong: Vec<_> = futures::future::join_all(folders().into_iter().map(faults_of)).await;
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What went otherwise than it should with one connector.
async fn faults_of(name: String) -> Vec<String> {
    let mut wrong = Vec::new();
    // What cannot be read at all is the other story's.
    let Ok(folder) = Folder::open(&name) else { return wrong };
    let many = folder.pages() > 1;
    let by_token = folder.definition.auth.token.is_some();
    let counted = folder.definition.people[0].total.is_some();
    let requests = folder.script.answers.iter().filter(|answer| !answer.is_token()).count();
    let Ok(good) = folder.read(Fault::None).await.0.map(|read| found(&read)) else { return wrong };
    let fine = |read: &Result<Read, Failure>| read.as_ref().is_ok_and(|read| found(read) == good);
    let fails = |read: &Result<Read, Failure>, with: fn(&Failure) -> bool| read.as_ref().is_err_and(with);

    let mut faults = vec![
        Fault::ThrottledOnce,
        Fault::ThrottledForEver,
        Fault::Empty,
        Fault::Forbidden,
        Fault::Html,
        Fault::Cut,
        Fault::Drip,
        Fault::Oversized,
        Fault::Redirect,
        Fault::Certificate,
    ];
    faults.extend(folder.definition.required.iter().map(|slot| Fault::Gone(*slot)));
    faults.extend((requests > 1).then_some(Fault::Expired));
    faults.extend(many.then_some(Fault::Repeated));
    faults.extend((many && counted).then_some(Fault::Total));
    faults.extend((folder.pages() > 2).then_some(Fault::Lost));
    for fault in faults {
        let (read, _) = folder.read(fault).await;
        let as_it_should = match fault {
            Fault::None | Fault::ThrottledOnce => fine(&read),
            Fault::Expired if by_token => fine(&read),
            Fault::Expired => fails(&read, |failure| matches!(failure, Failure::Unauthorised(_))),
            Fault::ThrottledForEver => fails(&read, |failure| *failure == Failure::Throttled),
            // What is missing is known where the system counts; the others have no way to say so.
            Fault::Lost => read.as_ref().map_or(true, |read| {
                let total = read.employees.len() + read.bad.len();
                let known: Vec<_> = read.employees.iter().map(plainly).collect();
                let all = good["employees"].as_array().unwrap();
                (!counted || read.announced_total != Some(total)) && known.iter().all(|one| all.contains(one))
            }),
            Fault::Repeated | Fault::Total => fails(&read, |failure| matches!(failure, Failure::Truncated(_))),
            Fault::Empty | Fault::Html => fails(&read, |failure| matches!(failure, Failure::WrongFormat(_))),
            Fault::Forbidden => fails(&read, |failure| *failure == Failure::Forbidden),
            Fault::Gone(_) => fails(&read, |failure| matches!(failure, Failure::WrongColumns(_))),
            Fault::Cut => fails(&read, |failure| matches!(failure, Failure::Truncated(_))),
            Fault::Drip => fails(&read, |failure| *failure == Failure::TimedOut),
            Fault::Oversized => fails(&read, |failure| *failure == Failure::TooLarge),
            Fault::Redirect => fails(&read, |failure| matches!(failure, Failure::AddressRefused(_))),
            Fault::Certificate => fails(&read, |failure| matches!(failure, Failure::Unreachable(_))),
        };
        let words = format!("{:?}", read.as_ref().err());
        if !as_it_should || [SECRET, "example.com/", "Ada"].iter().any(|secret| words.contains(secret)) {
            wrong.push(format!("{name}, {fault:?}: {:?}", read.map(|read| found(&read))));
        }
    }
    wrong
}
