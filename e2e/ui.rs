//! `kubectl rollcall ui` in a real Chromium: every page at three widths with ten thousand people, a leaver whose page moves by itself,
//! and everybody who must not see any of it.
//!
//! The ten thousand are of an API server that is played in this process (`support/played_api.rs`); the leaver is of a real one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::response::Html;
use jiff::Timestamp;
use kube::ResourceExt;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::{Value, json};

use crate::support::attempts::bind_role;
use crate::support::chromium::{Chromium, Tab};
use crate::support::company::{self, cut_name, person_name};
use crate::support::installation::{Consent, Installation, suffix};
use crate::support::people::People;
use crate::support::played_api::PlayedApi;
use crate::support::process::{Process, rollcall, write_kubeconfig};
use crate::support::waiting::eventually;

/// Every page, and parts of those that have more than one.
const PAGES: [&str; 14] = [
    "",
    "leavers",
    "next",
    "held",
    "people",
    "people?page=100",
    "people?state=Unknown",
    "connections",
    "coverage",
    "coverage?why=NoOwner&of=apps&page=1",
    "review",
    "evidence",
    "person?name=p-00001",
    "person?name=p-00006",
];
/// How wide a telephone, a tablet and a screen are.
const WIDTHS: [u32; 3] = [360, 820, 1440];
/// A name for this machine that is not ours.
const EVIL: &str = "evil.example.com";

/// The command at work, and the address it printed.
struct Ui {
    process: Process,
    /// `http://127.0.0.1:4711`
    origin: String,
    /// With the token.
    entrance: String,
}

impl Ui {
    /// Starts it for the API server that is played.
    fn played(api: &PlayedApi, more: &[&str]) -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let kubeconfig = write_kubeconfig(&directory, &format!("ui-{}", suffix()), &api.kubeconfig());
        let ui = Self::start(&kubeconfig, company::NAMESPACE, more);
        std::fs::remove_file(kubeconfig).unwrap();
        ui
    }

    fn start(kubeconfig: &std::path::Path, namespace: &str, more: &[&str]) -> Self {
        let mut command = rollcall();
        command.args(["ui", "--namespace", namespace]).args(more).env("KUBECONFIG", kubeconfig).stderr(Stdio::null());
        let (process, entrance) = Process::ready(&mut command);
        let origin = entrance.split("/?token=").next().unwrap().to_owned();
        assert!(origin.starts_with("http://127.0.0.1:"), "{entrance}");
        Self { process, origin, entrance }
    }

    fn port(&self) -> &str {
        self.origin.rsplit(':').next().unwrap()
    }

    /// Opens the address that was printed, as somebody who clicks on it; gives where the pages are.
    fn opens(&self, chromium: &mut Chromium, tab: &Tab) -> String {
        assert_eq!(chromium.goes(tab, &self.entrance), 200);
        chromium.until(tab, "the first page", "document.title === 'Now · Rollcall'");
        let place = chromium.value(tab, "location.pathname").as_str().unwrap().to_owned();
        format!("{}{place}", self.origin)
    }

    /// Resident memory in MiB.
    fn memory(&self) -> u64 {
        let id = self.process.0.lock().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

/// What is wrong with a page for somebody who cannot see it, has no mouse, or a narrow screen: empty for a good one.
const FAULTS: &str = r#"(() => {
  const faults = [];
  const all = (query) => [...document.querySelectorAll(query)];
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = all("body *").filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide"));
    faults.push(`the page is ${document.documentElement.scrollWidth} wide: ${wide.slice(0, 3).map((one) => one.outerHTML.slice(0, 120))}`);
  }
  if (document.documentElement.lang !== "en") faults.push("no language");
  if (!document.title) faults.push("no title");
  for (const [query, many] of [["header", 1], ["nav[aria-label='Pages']", 1], ["main#main", 1], ["footer", 1], ["h1", 1], ["[aria-current]", 1]])
    if (all(query).length !== many) faults.push(`${all(query).length} of ${query}`);
  const ids = all("[id]").map((one) => one.id);
  faults.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `two of #${id}`));
  faults.push(...all("section").filter((one) => !document.getElementById(one.getAttribute("aria-labelledby"))?.textContent.trim()).map((one) => `a section without its name: ${one.id}`));
  faults.push(...all("input, select").filter((one) => !one.labels.length).map((one) => `no label: ${one.id}`));
  faults.push(...all("button, a[href]").filter((one) => !(one.textContent.trim() || one.ariaLabel)).map((one) => `no words: ${one.outerHTML.slice(0, 80)}`));
  faults.push(...all("table").filter((one) => !one.caption || one.querySelector("th:not([scope])")).map(() => "a table without caption or scope"));
  faults.push(...all(".wide").filter((one) => one.tabIndex !== 0 || !one.ariaLabel).map(() => "a frame that no key moves"));
  faults.push(...all("svg, img").filter((one) => one.getAttribute("role") !== "img" || !one.ariaLabel).map(() => "a picture without words"));
  faults.push(...all("svg *").filter((one) => one.parentElement.localName !== "svg").map(() => "a shape within a shape, which is not drawn"));
  const levels = all("h1, h2, h3").map((one) => Number(one.tagName[1]));
  faults.push(...levels.filter((level, at) => at > 0 && level > levels[at - 1] + 1).map(() => "a heading skips a level"));
  if (all("[style], script:not([src])").length) faults.push("something inline");
  if (all("tbody").some((one) => one.rows.length > 210)) faults.push("a list that is not cut");
  const small = all("button, input, select").filter((one) => one.offsetParent && one.getBoundingClientRect().height < 24);
  faults.push(...small.map((one) => `too small to hit: ${one.outerHTML.slice(0, 80)}`));
  return faults;
})()"#;

#[tokio::test]
async fn every_page_is_whole_at_three_widths_with_ten_thousand_people_and_breaks_no_policy() {
    let api = PlayedApi::start(company::lists(10_000, Timestamp::now()));
    let ui = Ui::played(&api, &[]);
    let mut chromium = Chromium::start(&[]);
    let tab = chromium.tab();
    let place = ui.opens(&mut chromium, &tab);
    let mut slow = Vec::new();
    for page in PAGES {
        for width in WIDTHS {
            chromium.size(&tab, width, 900);
            let begun = Instant::now();
            assert_eq!(chromium.goes(&tab, &format!("{place}{page}")), 200, "{page}");
            if begun.elapsed() > Duration::from_secs(30) {
                slow.push(page);
            }
            let faults = chromium.value(&tab, FAULTS);
            assert_eq!(faults, json!([]), "{page} at {width}");
            let wrong = chromium.wrong(&tab);
            assert!(wrong.is_empty(), "{page} at {width}: {wrong:?}");
            let text = chromium.text(&tab);
            assert!(!text.contains("@example.com") && !text.contains("Brunner"), "a name on {page}: {text}");
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
    assert_eq!(chromium.goes(&tab, &format!("{place}connections")), 200);
    let text = chromium.text(&tab);
    for told in ["Responses were trusted for 9", "TimedOut", "Shrunk"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let drawn = "document.querySelectorAll('#connection-0 [aria-label^=\"responses were trusted\"] rect').length";
    assert_eq!(chromium.value(&tab, drawn), 3, "each time of the last thirty days is drawn");
    let listed: BTreeSet<String> =
        api.asked(company::PEOPLE).into_iter().filter(|asked| !asked.contains("watch=true")).collect();
    assert!(listed.iter().all(|asked| asked.contains("limit=")), "the API is read by pages: {listed:?}");
    assert!(ui.memory() < 300, "{} MiB", ui.memory());
}

#[tokio::test]
async fn pages_are_used_by_keys_alone_and_move_by_themselves_and_are_read_without_a_script() {
    let now = Timestamp::now();
    let api = PlayedApi::start(company::lists(300, now));
    let ui = Ui::played(&api, &["--unmask"]);
    let mut chromium = Chromium::start(&[]);
    let tab = chromium.tab();
    let place = ui.opens(&mut chromium, &tab);

    chromium.presses(&tab, "Tab", 9);
    assert_eq!(chromium.value(&tab, "document.activeElement.className"), "skip");
    chromium.presses(&tab, "Enter", 13);
    chromium.until(&tab, "the link that skips leads to the content", "location.hash === '#main'");

    let name = person_name(company::UNDER_WAY);
    assert_eq!(chromium.goes(&tab, &format!("{place}person?name={name}")), 200);
    chromium.value(&tab, "window.same = true");
    let shown = "document.getElementById('main').innerText";
    assert!(
        chromium.value(&tab, &format!("{shown}.includes('not proved yet') || {shown}.includes('not yet')"))
            == json!(true)
    );
    api.changes(company::REVOCATIONS, &cut_name(company::UNDER_WAY, now), |revocation| {
        let at = format!("{:.0}", Timestamp::now());
        let target = revocation["status"]["plan"]["targets"][1].clone();
        let status = &mut revocation["status"];
        status["steps"].as_array_mut().unwrap().push(json!({"target": target, "outcome": "Done", "at": at}));
        status["verdicts"]
            .as_array_mut()
            .unwrap()
            .push(json!({"target": target, "verdict": "Observed", "how": "401", "at": at}));
        (status["phase"], status["verified"]) = (json!("Revoked"), json!(at));
    });
    chromium.until(&tab, "the cut is done", &format!("{shown}.includes('Done, and seen refused')"));
    assert_eq!(chromium.value(&tab, "window.same"), true, "the page was not loaded again");
    assert!(chromium.wrong(&tab).is_empty());

    let many = person_name(company::MANY);
    assert_eq!(chromium.goes(&tab, &format!("{place}person?name={many}")), 200);
    let rows = "document.querySelectorAll('section table tbody tr').length";
    assert!(chromium.value(&tab, rows).as_u64().unwrap() >= 201, "a row for each of two hundred credentials");
    assert_eq!(chromium.value(&tab, "document.scripts.length"), 1, "a name is no script");
    assert!(chromium.text(&tab).contains("<script>alert(1)</script>"), "and is shown as it is");

    chromium.ask(Some(&tab), "Emulation.setScriptExecutionDisabled", json!({"value": true}));
    assert_eq!(chromium.goes(&tab, &format!("{place}held")), 200);
    let text = chromium.text(&tab);
    assert!(text.contains("kubectl rollcall approve --batch run-7f3a") && text.contains("OverLimit"), "{text}");
    assert_eq!(chromium.value(&tab, "getComputedStyle(document.querySelector('.copy')).display"), "none");
}

/// A page of somebody else on this machine, which tries what a page can try; gives where it is, and the headers that it was sent.
async fn attacker(target: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heard);
    let routes = Router::new().fallback(move |request: Request| {
        let lines = request.headers().iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()));
        kept.lock().unwrap().extend(lines);
        async move {
            Html(format!(
                "<!doctype html><title>attacker</title><iframe src=\"{target}people\"></iframe><script src=\"{target}live.js\" onload=\"window.ran = true\"></script>\
                 <link rel=\"stylesheet\" href=\"{target}page.css\"><p class=\"skip\">x</p>"
            ))
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (port.to_string(), heard)
}

/// What a script of a page gets of an address, by each way that there is.
fn stolen(url: &str) -> String {
    format!(
        r#"(async () => {{
          const got = [];
          for (const mode of ["cors", "no-cors"])
            for (const credentials of ["include", "omit"])
              try {{
                const response = await fetch("{url}", {{ mode, credentials }});
                const text = await response.text();
                if (text) got.push(text.slice(0, 200));
              }} catch {{}}
          await new Promise((done) => {{
            const events = new EventSource("{url}changes", {{ withCredentials: true }});
            events.onopen = () => {{ got.push("events"); done(); }};
            events.onerror = () => done();
          }});
          const frame = document.querySelector("iframe");
          try {{ if (frame && frame.contentDocument && frame.contentDocument.body.innerText) got.push(frame.contentDocument.body.innerText); }} catch {{}}
          if (window.ran) got.push("its script ran");
          if (getComputedStyle(document.querySelector("p") ?? document.body).position === "absolute") got.push("its style");
          return got;
        }})()"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_origin_another_name_or_another_port_reads_nothing() {
    let api = PlayedApi::start(company::lists(300, Timestamp::now()));
    let ui = Ui::played(&api, &[]);
    let mut chromium = Chromium::start(&[EVIL]);
    let tab = chromium.tab();
    let place = ui.opens(&mut chromium, &tab); // this browser has the cookie
    let path = place.strip_prefix(&ui.origin).unwrap().to_owned();
    let (port, heard) = attacker(place.clone()).await;

    for at in
        [format!("http://{EVIL}:{port}/"), format!("http://127.0.0.1:{port}/"), format!("http://localhost:{port}/")]
    {
        assert_eq!(chromium.goes(&tab, &at), 200);
        let got = chromium.value(&tab, &stolen(&place));
        assert_eq!(got, json!([]), "{at}");
    }
    let cookies: Vec<String> =
        heard.lock().unwrap().iter().filter(|line| line.starts_with("cookie:")).cloned().collect();
    assert!(cookies.is_empty(), "another port of this machine is sent no cookie: {cookies:?}");

    let rebound = format!("http://{EVIL}:{}", ui.port());
    let token = ui.entrance.split("?token=").nth(1).unwrap();
    for page in [format!("{rebound}{path}people"), format!("{rebound}/?token={token}")] {
        assert_eq!(chromium.goes(&tab, &page), 403, "{page}");
        assert!(!chromium.text(&tab).contains("hq/"), "{page}");
    }
    assert_eq!(chromium.goes(&tab, &format!("{place}people")), 200, "and it is still there for who may see it");

    rustls::crypto::ring::default_provider().install_default().ok();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only(Vec::new()).build().unwrap();
    for at in [
        format!("{place}people"),
        ui.origin.clone(),
        format!("{}/?token=0", ui.origin),
        format!("{}/people", ui.origin),
    ] {
        let response = client.get(&at).send().await.unwrap();
        assert_eq!(response.status(), 403, "another program of this machine: {at}");
        let text = response.text().await.unwrap();
        assert!(!text.contains("hq/") && !text.contains(token), "{text}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let response = client.request(method.parse().unwrap(), &ui.entrance).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method}");
    }
    let outside = std::net::TcpStream::connect(format!("127.0.0.2:{}", ui.port()));
    assert!(outside.is_err(), "it listens at one address alone");
}

/// The words of a text, each a blank apart.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Three hundred people, of whom ten are those that stories know.
fn many(rollcall: &Installation) -> People {
    rollcall.staff(1..301)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaver_is_seen_to_be_refused_while_the_page_is_looked_at_and_it_says_what_why_says() {
    let (rollcall, _running, _) = Installation::with_seven("ui", Consent::Accounts, json!({})).await;
    rollcall.learn(&many(&rollcall)).await;
    bind_role(&rollcall, "viewer", "viewer").await;
    let refused = rollcall.fails(&["ui", "--as", "nobody"]);
    assert!(refused.contains("forbidden"), "who may read nothing is told at once: {refused}");

    let ui = Ui::start(&rollcall.cluster.kubeconfig, &rollcall.namespace, &["--as", "viewer"]);
    let mut chromium = Chromium::start(&[]);
    let tab = chromium.tab();
    let place = ui.opens(&mut chromium, &tab);
    let person = rollcall.person("7").await.unwrap().name_any();
    assert_eq!(chromium.goes(&tab, &format!("{place}person?name={person}")), 200);
    chromium.until(&tab, "they work here", "document.body.innerText.includes('They work here (Active since')");
    chromium.value(&tab, "window.same = true");

    rollcall.learn(&many(&rollcall).person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
    for words in ["They have left", "Done, and seen refused", "Everything of the plan was seen to be refused"] {
        chromium.until(&tab, words, &format!("document.getElementById('main').innerText.includes('{words}')"));
    }
    assert_eq!(chromium.value(&tab, "window.same"), true, "the page was not loaded again");
    // Each is asked at its own moment, in which more may have happened.
    let begun = Instant::now();
    loop {
        let said = rollcall.succeeds(&["why", &person, "--as", "viewer"]);
        let whole = chromium.value(&tab, "document.getElementById('main').textContent");
        let shown = words(whole.as_str().unwrap()).replace("Copy", "");
        let lines = said.lines().map(words).filter(|line| !line.ends_with(':'));
        let missing: Vec<String> = lines.filter(|line| !shown.contains(line)).collect();
        assert!(!shown.contains(&rollcall.address("7")), "no address");
        if missing.is_empty() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{missing:?} is not in\n{shown}");
    }
    assert!(chromium.wrong(&tab).is_empty());

    for page in ["coverage", "review"] {
        assert_eq!(chromium.goes(&tab, &format!("{place}{page}")), 200);
        let text = chromium.text(&tab);
        assert!(text.contains("forbidden") && text.contains("It takes list on serviceaccounts"), "{page}: {text}");
    }
    eventually("everything that ended is sealed", || async {
        rollcall.says(&["evidence", "verify"]).status.success().then_some(())
    })
    .await;
    assert_eq!(chromium.goes(&tab, &format!("{place}evidence")), 200);
    chromium.until(&tab, "the evidence verifies", "/records? verif(y|ies), head/.test(document.body.innerText)");
    let text: Value = chromium.value(&tab, "document.documentElement.outerHTML");
    assert!(!text.as_str().unwrap().contains(&rollcall.address("7")), "no address");
}

/// What `make pictures` looks at: each page in the light, in the dark and on a telephone.
#[tokio::test]
#[ignore = "it makes pictures for somebody who looks at them: make pictures"]
async fn pictures() {
    let folder = PathBuf::from("target/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    let api = PlayedApi::start(company::lists(10_000, Timestamp::now()));
    let ui = Ui::played(&api, &["--unmask"]);
    let mut chromium = Chromium::start(&[]);
    let tab = chromium.tab();
    let place = ui.opens(&mut chromium, &tab);
    let pages = [
        ("now", ""),
        ("leavers", "leavers"),
        ("next", "next"),
        ("held", "held"),
        ("people", "people"),
        ("connections", "connections"),
        ("coverage", "coverage"),
        ("review", "review"),
        ("evidence", "evidence"),
        ("person-revoked", "person?name=p-00001"),
        ("person-under-way", "person?name=p-00002"),
        ("person-failed", "person?name=p-00004"),
    ];
    for (name, page) in pages {
        for (how, dark, width, height) in
            [("light", false, 1280, 1400), ("dark", true, 1280, 900), ("narrow", false, 390, 900)]
        {
            chromium.size(&tab, width, height);
            chromium.media(&tab, dark, false);
            chromium.goes(&tab, &format!("{place}{page}"));
            std::fs::write(folder.join(format!("{name}-{how}.png")), chromium.picture(&tab)).unwrap();
        }
    }
    chromium.size(&tab, 1100, 800);
    chromium.media(&tab, false, true);
    chromium.goes(&tab, &format!("{place}review"));
    std::fs::write(folder.join("review-print.png"), chromium.picture(&tab)).unwrap();
}
