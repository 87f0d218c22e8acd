//! The row of bad answers: each is recorded with its own reason and changes nothing, and afterwards a genuine leaver is
//! still cut.

use k8s_openapi::api::core::v1::ConfigMap;
use rollcall::api::HRConnection;
use rollcall::api::revocation::{Operation, Phase};
use serde_json::json;

use crate::support::files::FileServer;
use crate::support::installation::{Consent, Installation};
use crate::support::people::People;

fn staff(rollcall: &Installation) -> People {
    rollcall.staff(1..21)
}

/// Bad answers that any file can give, each with the reason it is held for.
fn bad_files(rollcall: &Installation) -> Vec<(&'static str, String, &'static str)> {
    let good = staff(rollcall).csv();
    let header = good.lines().next().unwrap().to_owned();
    let half = good.get(..good.len() / 2).unwrap().to_owned();
    let several =
        |change: fn(People) -> People| ["3", "4", "5"].iter().fold(staff(rollcall), |all, id| change(all.person(id)));
    let fewer = ["1", "2", "3", "4"].iter().fold(staff(rollcall), |all, id| all.without(id));
    vec![
        ("an empty file", String::new(), "Missing"),
        ("a header only", header.clone() + "\n", "Empty"),
        ("half a file", half, "Truncated"),
        ("wrong columns", good.replace("email", "fax"), "WrongColumns"),
        (
            "duplicate ids",
            ["3", "4"].iter().fold(good.clone(), |all, id| {
                let other = staff(rollcall).person(id).email("other@example.com").csv();
                let row = other.lines().find(|line| line.starts_with(&format!("{id},"))).map(str::to_owned);
                all + &row.unwrap_or_default() + "\n"
            }),
            "DuplicateIds",
        ),
        ("a status never seen", several(|one| one.status("on secondment")).csv(), "UnmappedStatuses"),
        ("bad dates", several(|one| one.hired("soon")).csv(), "TooManyBadRecords"),
        ("a fifth fewer people", fewer.csv(), "Shrunk"),
        ("as many other people", rollcall.staff(101..121).csv(), "OtherPeople"),
        ("a page for humans", "<!DOCTYPE html><html><body>Sign in</body></html>".to_owned(), "WrongFormat"),
    ]
}

/// What stood before a bad answer, to be compared with what stands after it.
struct Watch<'a> {
    rollcall: &'a Installation,
    last: HRConnection,
    missing: usize,
    unexpected: Vec<String>,
}

impl<'a> Watch<'a> {
    async fn begin(rollcall: &'a Installation) -> Self {
        Self { rollcall, last: rollcall.poll().await, missing: missing(rollcall).await, unexpected: Vec::new() }
    }

    /// Polls once more, and looks whether the attempt was recorded with this reason and changed nothing.
    async fn held(&mut self, what: &str, reason: &str) {
        let now = self.rollcall.poll().await;
        let (before, after) = (self.last.status.as_ref().unwrap(), now.status.as_ref().unwrap());
        let attempt = after.last_attempt.as_ref().unwrap();
        for (holds, said) in [
            (attempt.outcome == reason, format!("not {reason} but {}: {:?}", attempt.outcome, attempt.findings)),
            (attempt.time > before.last_attempt.as_ref().unwrap().time, "no newer attempt".to_owned()),
            (after.last_trusted == before.last_trusted, "the last trusted state was not kept".to_owned()),
            (self.rollcall.all_revocations().await.is_empty(), "there is a Revocation".to_owned()),
            (self.missing == missing(self.rollcall).await, "people are called missing".to_owned()),
        ] {
            if !holds {
                self.unexpected.push(format!("{what}: {said}"));
            }
        }
        self.last = now;
    }

    /// Nothing unexpected was seen in the whole row.
    fn as_expected(&self) {
        assert!(self.unexpected.is_empty(), "{:#?}", self.unexpected);
    }
}

/// How many people are called missing.
async fn missing(rollcall: &Installation) -> usize {
    let persons = rollcall.all_persons().await;
    let employments = persons.iter().filter_map(|person| person.status.as_ref()).flat_map(|status| &status.employments);
    employments.filter(|employment| employment.missing_since.is_some()).count()
}

#[tokio::test]
async fn a_bad_file_in_a_config_map_changes_nothing_and_then_a_genuine_leaver_is_cut() {
    let rollcall = Installation::new("files", &[("apps", Consent::Accounts)]).await;
    let running = rollcall.run().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.learn(&staff(&rollcall)).await;
    let mut watch = Watch::begin(&rollcall).await;
    for (what, csv, reason) in bad_files(&rollcall) {
        rollcall.file(&csv).await;
        watch.held(what, reason).await;
    }
    let files: kube::Api<ConfigMap> = rollcall.api();
    files.delete("people", &Default::default()).await.unwrap();
    watch.held("no file at all", "Missing").await;

    running.sync.kill(); // and it is started again
    rollcall.file(&rollcall.staff(101..121).csv()).await;
    watch.held("as many other people, right after a restart", "OtherPeople").await;

    watch.as_expected();
    rollcall.learn(&staff(&rollcall).person("7").terminated()).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
}

#[tokio::test]
async fn a_bad_answer_over_http_changes_nothing_and_then_a_genuine_leaver_is_cut() {
    let rollcall = Installation::new("http", &[("apps", Consent::Accounts)]).await;
    let _running = rollcall.run().await;
    let server = FileServer::serving(staff(&rollcall).csv()).await;
    rollcall
        .connect(json!({
            "source": {"file": {"from": {"configMap": null, "http": {"url": server.url}}}},
            "network": {"allowPrivateAddresses": true},
        }))
        .await;
    rollcall.policy(json!({})).await;
    rollcall.account_of("7", "apps", "seven").await;
    rollcall.settles(rollcall.poll().await).await;
    let mut watch = Watch::begin(&rollcall).await;
    for (what, csv, reason) in bad_files(&rollcall) {
        server.answers(200, "text/csv", csv);
        watch.held(what, reason).await;
    }
    for (what, status, reason) in [
        ("an error of the server", 500, "ErrorStatus"),
        ("a credential that may not read", 403, "Forbidden"),
        ("a credential that is not known", 401, "Unauthorised"),
        ("no such file", 404, "Missing"),
    ] {
        server.answers(status, "text/csv", staff(&rollcall).csv());
        watch.held(what, reason).await;
    }
    server.answers(200, "text/html", "<html><body>Sign in</body></html>");
    watch.held("a page for humans that says so", "WrongFormat").await;

    watch.as_expected();
    server.answers(200, "text/csv", staff(&rollcall).person("7").terminated().csv());
    rollcall.settles(rollcall.poll().await).await;
    rollcall.reaches("7", Operation::Cut, Phase::Revoked).await;
}

#[tokio::test]
async fn people_who_vanish_bit_by_bit_are_held_from_the_second_poll() {
    let rollcall = Installation::new("bits", &[]).await;
    let _sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&rollcall.staff(1..101)).await;
    rollcall.learn(&rollcall.staff(1..92)).await; // 9 % fewer are believed once
    let mut watch = Watch::begin(&rollcall).await;
    for (end, reason) in [(83, "ShrunkSlowly"), (76, "Shrunk"), (70, "Shrunk")] {
        rollcall.file(&rollcall.staff(1..end).csv()).await;
        watch.held("9 % fewer again", reason).await;
    }
    watch.as_expected();
}

#[tokio::test]
async fn an_admin_accepts_exactly_the_answer_that_was_held() {
    let rollcall = Installation::new("accept", &[]).await;
    let _sync = rollcall.sync().await;
    rollcall.connect(json!({})).await;
    rollcall.policy(json!({})).await;
    rollcall.learn(&staff(&rollcall)).await;
    rollcall.file(&rollcall.staff(1..11).csv()).await;
    let held = rollcall.poll().await.status.unwrap().last_attempt.unwrap();
    assert_eq!(held.outcome, "Shrunk");
    let digest = held.response.expect("a whole response has a digest");

    rollcall.succeeds(&["accept", &rollcall.connection, "--response", &digest]);
    rollcall.file(&rollcall.staff(1..9).csv()).await;
    let other = rollcall.poll().await.status.unwrap().last_attempt.unwrap();
    assert_eq!(other.outcome, "Shrunk", "another response is not accepted by it");

    rollcall.file(&rollcall.staff(1..11).csv()).await;
    let accepted = rollcall.poll().await.status.unwrap();
    assert_eq!(accepted.last_attempt.unwrap().outcome, "Trusted");
    assert_eq!(accepted.last_trusted.unwrap().employees, 10);
}
