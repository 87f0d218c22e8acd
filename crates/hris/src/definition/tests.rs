//! What is refused, and with which words.

mod requests;

use super::*;

const PLAIN: &str = "name: plain
title: Plain
evidence: documented
sources: [https://hr.example.com/docs]
setup: Make a token.
baseUrl: https://{tenant}.example.com
parameters:
  tenant: {pattern: '[a-z0-9-]+', says: your tenant}
credentials: {token: a token}
auth: {headers: {Authorization: 'Bearer {token}'}}
people:
- request: {path: /people, query: {limit: '5'}}
  records: data
fields:
  fullName: name
  email: email
  status: state
  hireDate: start
statuses:
  On: {means: Active}
";

fn parse(text: &str) -> Result<Definition, String> {
    Definition::parse("plain.yaml", text).map_err(|refused| refused.to_string())
}

/// PLAIN with one piece replaced, which has to be there.
fn with(from: &str, to: &str) -> String {
    assert!(PLAIN.contains(from), "{from}");
    PLAIN.replace(from, to)
}

#[test]
fn a_word_nobody_knows_refuses_the_definition_with_file_line_and_word() {
    for (from, to, line, word) in [
        ("records: data", "record: data", 13, "record"),
        ("says: your tenant", "say: your tenant", 8, "say"),
        ("path: /people,", "path: /people, method: POST,", 12, "method"),
        ("path: /people,", "path: /people, body: '{}',", 12, "body"),
        ("headers:", "bearer:", 10, "bearer"),
        ("evidence: documented", "evidence: sure", 3, "sure"),
        ("hireDate: start", "salary: pay", 18, "salary"),
        ("hireDate: start", "hireDate: {at: pay}", 18, "at"),
        ("hireDate: start", "hireDate: {path: a, firstOf: [b]}", 18, "exactly one of path, join and firstOf"),
        ("records: data", "records: data\n  paging: {scroll: {}}", 14, "scroll"),
        ("records: data", "records: data\n  total: {trailer: x}", 14, "trailer"),
        ("means: Active", "means: Retired", 20, "Retired"),
        ("means: Active", "means: Active, whenGone: Active", 20, "whenGone"),
        ("title: Plain", "title: Plain\ndates: [roman]", 3, "roman"),
    ] {
        let refused = parse(&with(from, to)).unwrap_err();
        assert!(refused.starts_with(&format!("plain.yaml: line {line}: ")) && refused.contains(word), "{refused}");
    }
}

#[test]
fn words_that_do_not_fit_together_refuse_the_definition_with_line_and_place() {
    assert_eq!(parse(PLAIN).map(|_| ()), Ok(()));
    for (from, to, why) in [
        ("https://{tenant}", "http://{tenant}", "line 6: baseUrl: does not start with https://"),
        ("{tenant}.example", "{company}.example", "line 6: baseUrl: not a URL, or a parameter in braces"),
        ("{tenant}.example", "hr.example", "line 8: parameters.tenant: not used"),
        ("'[a-z0-9-]+'", "'[a-z'", "line 8: parameters.tenant.pattern: no regular expression"),
        ("your tenant", "x, default: A B", "line 8: parameters.tenant.default: does not match the pattern"),
        ("{token: a token}", "{}", "token is not declared under credentials or parameters"),
        ("{token: a token}", "{token: a, other: b}", "line 9: credentials.other: not used"),
        ("'Bearer {token}'", "'Bearer {token'", "auth.headers.Authorization: a brace is not closed"),
        ("{headers: {Authorization: 'Bearer {token}'}}", "{}", "line 10: auth: nothing to sign in with"),
        ("[https://hr.example.com/docs]", "[]", "line 4: sources: at least one public page"),
        ("path: /people", "path: people", "line 12: people.0.request.path: does not start with /"),
        ("path: /people", "path: /people?x=1", "line 12: people.0.request.path: does not start with /, or holds more"),
        ("path: /people", "headers: {'a b': c}, path: /people", "line 12: people.0.request.headers: a b is no header"),
        ("limit: '5'", "limit: '{size}'", "people.0.request.query.limit: size is not declared under parameters"),
        ("limit: '5'", "limit: '{token}'", "people.0.request.query.limit: token is not declared under parameters"),
        ("  email: email\n", "", "line 14: fields: email is missing"),
        ("email: email", "email: []", "line 16: fields.email: no path"),
        ("email: email", "email: work..email", "line 16: fields.email: no path: a name is missing next to a dot"),
        ("email: email", "email: \"e[?match(@.x, 'a')]\"", "line 16: fields.email: no path: match and search"),
        ("email: email", "email: {path: email, lookup: names}", "line 16: fields.email: there is no lookup names"),
        ("statuses:\n  On: {means: Active}\n", "", "statuses: needed if and only if there is a field status"),
        ("  On: {means: Active}", "  On: {means: Active}\n  ' on ': {means: Leave}", "is mapped twice"),
        ("hireDate: start", "terminationDate: end", "endDateMeans: needed if and only if there is a field"),
        ("records: data", "records: data\nrequired: [title]", "line 14: required: title is not under fields"),
        (
            "statuses:",
            "inputs: {flag: x}\nstatuses:",
            "line 19: inputs.flag: neither a rule nor endDateWhen looks at it",
        ),
    ] {
        let refused = parse(&with(from, to)).unwrap_err();
        assert!(refused.starts_with("plain.yaml: line ") && refused.contains(why), "{why}: {refused}");
    }
    let later = with("means: Active", "means: Active, whenStartsLater: Leave").replace("  hireDate: start\n", "");
    assert!(parse(&later).unwrap_err().contains("whenStartsLater needs a field hireDate"));
}

#[test]
fn a_live_run_names_who_when_and_the_public_report() {
    let run = |words: &str| with("setup:", &format!("runLive:\n- {words}\nsetup:"));
    let acme = "{by: Acme, on: 2026-03-02, report: 'https://example.com/1'}";
    let run_live = parse(&run(acme)).unwrap();
    let last = run_live.last_live_run().map(|run| (run.by.as_str(), run.on.to_string()));
    assert_eq!(last, Some(("Acme", "2026-03-02".to_owned())));
    let two = format!("{acme}\n- {{by: Umbra, on: 2026-02-28, report: 'https://example.com/2'}}");
    assert_eq!(parse(&run(&two)).unwrap().last_live_run(), run_live.last_live_run());
    assert_eq!(parse(PLAIN).unwrap().last_live_run(), None);
    for (from, to, why) in [
        ("Acme", "''", "line 5: runLive.0: by: a name of 1 to 64 letters"),
        ("Acme", "ada@example.com", "line 5: runLive.0: by: a name, and no address"),
        ("https://", "http://", "line 5: runLive.0: report: a public page"),
        ("2026-03-02", "2026-02-30", "line 6: "),
        ("2026-03-02", "soon", "line 6: "),
        ("by: Acme, ", "", "missing field `by`"),
        ("on: 2026-03-02, ", "", "missing field `on`"),
        ("by: Acme", "by: Acme, people: 5", "people"),
    ] {
        let refused = parse(&run(&acme.replace(from, to))).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn pages_end_by_something_the_list_says() {
    let paging = |paging: &str| with("records: data", &format!("records: data\n  paging: {paging}"));
    for good in [
        "{nextLink: next}",
        "{nextLink: {header: Link}}",
        "{cursor: {at: next, query: after}}",
        "{cursor: {at: {header: After}, query: after, more: hasMore}}",
        "{page: {query: page, from: 1, ends: empty}}",
        "{page: {query: page, ends: {last: {header: X-Pages}}}}",
        "{nextQuery: links.next}",
        "{offset: {query: skip, size: 100, ends: short}}",
        "{offset: {query: paging, form: '{},100', ends: {more: hasMore}}}",
    ] {
        assert_eq!(parse(&paging(good)).map(|_| ()), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("{page: {query: page, ends: short}}", "short needs a size"),
        ("{page: {query: page, ends: total}}", "total is not said by the list"),
        ("{page: {query: page, ends: checkedTotal}}", "total is not said by the list"),
        ("{offset: {query: skip, ends: {last: pages}}}", "last is the number of a page"),
        ("{page: {ends: empty}}", "exactly one of query and body"),
        ("{cursor: {at: next, query: a, body: b}}", "exactly one of query and body"),
        ("{cursor: {at: next, body: b}}", "only a search has a body"),
        ("{offset: {query: skip, form: '100', ends: empty}}", "{} has to be in it once"),
        ("{nextLink: 'a..b'}", "no path"),
    ] {
        let refused = parse(&paging(bad)).unwrap_err();
        assert!(refused.contains(why) && refused.contains("line 14: people.0.paging"), "{why}: {refused}");
    }
}

#[test]
fn what_an_answer_says_of_itself_is_said_in_words_that_fit() {
    let list = |words: &str| with("records: data", &format!("records: data\n  {words}"));
    let paged = "paging: {nextLink: next}\n  ";
    for good in [
        list("nullIsEmpty: true"),
        list("skip: {path: isDeleted, is: ['true']}"),
        list("choose: {from: validFrom, to: validUntil}"),
        list(&format!("{paged}empty: {{path: error.code, is: ['7024']}}")),
        format!("{PLAIN}failed: [{{path: 'errors[0]'}}, {{path: success, is: ['false']}}]\n"),
    ] {
        assert_eq!(parse(&good).map(|_| ()), Ok(()), "{good}");
    }
    let join = "joins:\n  jobs:\n    list: {request: {path: /jobs}, records: data, choose: {from: a}}\n    key: person\n    \
                of: id\n    fields: {title: title}\n";
    let detail = "details:\n  one:\n    of: id\n    nullIsEmpty: true\n    fields: {title: title}\n    request: {path: \
                  '/people/{of}'}\n";
    for (bad, why) in [
        (list("skip: {path: isDeleted, is: []}"), "people.0.skip.is: no word"),
        (list("empty: {path: error.code, is: ['7024']}"), "people.0.empty: there is no page behind the first"),
        (list(&format!("{paged}empty: {{path: 'a..b', is: ['7024']}}")), "people.0.empty.path: no path"),
        (format!("{PLAIN}failed: [{{path: ''}}]\n"), "failed.0.path: no path"),
        (format!("{PLAIN}{join}"), "joins.jobs.list.choose: only in a list of people"),
        (format!("{PLAIN}{detail}"), "details.one: nullIsEmpty: the response is one record"),
    ] {
        let refused = parse(&bad).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn an_export_is_begun_by_what_reads_and_looked_at_until_a_word_says_so() {
    let export = |words: &str| with("records: data", &format!("records: data\n  export: {{{words}}}"));
    let search = "search: {page: 'https://hr.example.com/docs', body: {}}";
    let start = format!("start: {{path: /people/exports, {search}}}");
    let rest = "job: id, poll: {path: '/exports/{job}'}, done: {path: state, is: [DONE]}";
    let good = export(&format!("{start}, {rest}, failed: {{path: state, is: [FAILED]}}, every: 5"));
    assert_eq!(parse(&good).map(|_| ()), Ok(()));
    let read = good.replace("path: /people, query: {limit: '5'}", "path: '/exports/{job}/file', query: {job: '{job}'}");
    assert_eq!(parse(&read).map(|_| ()), Ok(()));
    let plain = with("path: /people,", "path: '/exports/{job}',");
    for (text, why) in [
        (plain, "line 12: people.0.request.path: job is not declared under parameters"),
        (export(&format!("start: {{path: /people, {search}}}, {rest}")), "a POST to \"people\" may write"),
        (export(&format!("start: {{path: '/{{job}}'}}, {rest}")), "people.0.export.start.path: job is not declared"),
        (good.replace("/exports/{job}'", "/exports'"), "people.0.export.poll.path: {job} is not in it"),
        (good.replace("is: [FAILED]", "is: []"), "people.0.export.failed.is: no word"),
        (good.replace("every: 5", "every: 0"), "people.0.export.every: from 1 to 3600 seconds"),
        (good.replace("job: id", "job: a..b"), "people.0.export.job: no path"),
        (good.replace("every: 5", "until: 5"), "until"),
    ] {
        let refused = parse(&text).unwrap_err();
        assert!(refused.starts_with("plain.yaml: line 1") && refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn rules_and_further_lists_have_to_fit_too() {
    let ruled = with("  status: state\n", "").replace("statuses:\n  On: {means: Active}\n", "");
    let rules = |inputs: &str, rules: &str| format!("{ruled}inputs: {inputs}\nrules:\n- {rules}\n");
    let good = rules("{flag: active, end: end}", "{when: {flag: {is: ['true']}, end: empty}, means: Active}");
    assert_eq!(parse(&good).map(|_| ()), Ok(()));
    for (text, why) in [
        (rules("{flag: a}", "{when: {}, means: Terminated}"), "a rule without a condition"),
        (rules("{flag: a}", "{when: {flags: filled}, means: Active}"), "flags is not under inputs"),
        (rules("{flag: a}", "{when: {flag: {is: []}}, means: Active}"), "no word for flag"),
        (rules("{flag: a}", "{when: {flag: past}, means: Active}"), "past"),
        (format!("{PLAIN}inputs: {{flag: a}}\nrules:\n- {{when: {{flag: filled}}, means: Active}}\n"), "one of them"),
    ] {
        let refused = parse(&text).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
    let ends =
        |when: &str| with("statuses:", &format!("  terminationDate: end\nendDateMeans: LastDay\n{when}\nstatuses:"));
    let good = ends("inputs: {left: left}\nendDateWhen: {left: {is: ['true']}}");
    assert_eq!(parse(&good).map(|_| ()), Ok(()));
    for (text, why) in [
        (ends("endDateWhen: {left: filled}"), "endDateWhen: left is not under inputs"),
        (ends("inputs: {left: left}\nendDateWhen: {left: {is: []}}"), "endDateWhen: no word for left"),
        (
            good.replace("  terminationDate: end\nendDateMeans: LastDay\n", ""),
            "endDateWhen: there is no field terminationDate",
        ),
    ] {
        let refused = parse(&text).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
    let join = "joins:\n  jobs:\n    list: {request: {path: /jobs}, records: data}\n    key: person\n    of: id\n";
    assert_eq!(parse(&format!("{PLAIN}{join}    fields: {{title: title}}\n")).map(|_| ()), Ok(()));
    let detail = "details:\n  one:\n    of: id\n    fields: {title: title}\n    request:";
    assert_eq!(parse(&format!("{PLAIN}{detail} {{path: '/people/{{of}}'}}\n")).map(|_| ()), Ok(()));
    let asked = |path: &str, id: &str| {
        let search = format!("search: {{page: 'https://hr.example.com', body: {{ids: ['{id}']}}}}");
        format!("{PLAIN}{detail} {{path: {path}, {search}}}\n")
    };
    assert_eq!(parse(&asked("/jobs/search", "{of}")).map(|_| ()), Ok(()));
    let of = with("path: /people,", "path: '/people/{of}',");
    let together = |text: String, words: &str| {
        text.replace(
            "    fields: {title: title}\n    request",
            &format!("    fields: {{title: title}}\n    together: {words}\n    request"),
        )
    };
    let good = together(
        asked("/jobs/search", "{of}").replace("    of: id", "    of: id\n    records: jobs"),
        "{most: 2, key: person}",
    );
    assert_eq!(parse(&good).map(|_| ()), Ok(()));
    for (text, why) in [
        (good.replace("most: 2", "most: 1"), "details.one.together.most: from 2 to 1000 people"),
        (good.replace("ids: ['{of}']", "id: '{of}'"), "details.one.together: {of} has to stand in a list"),
        (
            good.replace("search: {page", "query: {id: '{of}'}, search: {page"),
            "details.one.together: {of} has to stand in a list",
        ),
        (
            good.replace("ids: ['{of}']", "ids: ['{of}'], id: '{of}'"),
            "details.one.together: {of} has to stand in a list",
        ),
        (good.replace("    records: jobs\n", ""), "details.one: one record has neither pages nor a choice"),
        (format!("{PLAIN}{join}    fields: {{hireDate: x}}\n"), "joins.jobs.fields.hireDate: stands under fields too"),
        (format!("{PLAIN}{detail} {{path: /people}}\n"), "line 25: details.one.request.path: {of} is not in it"),
        (asked("/jobs/search", "7"), "line 25: details.one.request: {of} is not in it"),
        (of, "line 12: people.0.request.path: of is not declared under parameters"),
    ] {
        let refused = parse(&text).unwrap_err();
        assert!(refused.contains(why), "{why}: {refused}");
    }
}

#[test]
fn a_definition_that_lies_too_deep_is_refused_and_ends_nothing() {
    let deep = |open: &str, close: &str| open.repeat(100_000) + &close.repeat(100_000);
    for text in [
        with("path: /people,", &format!("path: /people, search: {{page: p, body: {}}},", deep("{a: ", "}"))),
        with("records: data", &format!("records: {}", deep("[", "]"))),
        with("records: data", &format!("records: \"a[?{}]\"", deep("(", ")"))),
        with("records: data", &format!("records: \"a{}\"", "[?@.b".repeat(100_000))),
        with("email: email", &format!("email: \"{}\"", "a.".repeat(100_000))),
        format!("a: &a [x, x]\n{}", (0..30).map(|n| format!("b{n}: &b{n} [*a, *a]\n")).collect::<String>()),
    ] {
        assert!(parse(&text).is_err(), "{}", text.get(..400).unwrap());
    }
}

#[test]
fn a_customers_own_words_are_added_and_one_that_turns_a_meaning_is_said() {
    let plain = || parse(PLAIN).unwrap();
    let words = |words: &[(&str, Status)]| words.iter().map(|(word, means)| ((*word).to_owned(), *means)).collect();
    let more = plain().with_words(&words(&[("Garden leave", Status::Leave)]), &BTreeMap::new()).unwrap();
    assert_eq!((more.statuses.len(), more.otherwise.len(), more.tells_leave()), (2, 0, true));
    let same = plain().with_words(&words(&[(" on ", Status::Active)]), &BTreeMap::new()).unwrap();
    assert_eq!((same.statuses.len(), same.otherwise.len()), (1, 0), "the same word in another case is the same word");
    let turned = plain().with_words(&words(&[("ON", Status::Terminated)]), &BTreeMap::new()).unwrap();
    assert_eq!(turned.otherwise, ["the status \"ON\" means Terminated here; the connector says Active"]);
    let types = BTreeMap::from([("FT".to_owned(), EmploymentType::Employee)]);
    let refused = plain().with_words(&BTreeMap::new(), &types).unwrap_err();
    assert_eq!(refused, "types: the connector plain gives no employmentType, so there is no word to map");
}

#[test]
fn parameters_are_checked_before_anything_is_asked() {
    let definition = parse(PLAIN).unwrap();
    let base = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        definition.resolve(&given).and_then(|values| definition.base(&values))
    };
    assert_eq!(base(&[("tenant", "acme-1")]).unwrap(), "https://acme-1.example.com");
    assert_eq!(base(&[]).unwrap_err(), "the connector plain needs the parameter tenant: your tenant");
    assert_eq!(
        base(&[("tenant", "acme"), ("region", "eu")]).unwrap_err(),
        "the connector plain has no parameter \"region\"; it has: tenant"
    );
    for value in ["", "ACME", "evil.example.com/", "a@evil", "a:b", "a/b", "a\n", "a\nb", "a?b", "a#b", "%2f", "é"] {
        let refused = base(&[("tenant", value)]).unwrap_err();
        assert_eq!(refused, "the parameter tenant does not match [a-z0-9-]+: your tenant", "{value:?}");
    }
    let usual = parse(&with("says: your tenant", "says: your tenant, default: usual")).unwrap();
    assert_eq!(usual.resolve(&BTreeMap::new()).unwrap().get("tenant").map(String::as_str), Some("usual"));
}

#[test]
fn a_pattern_that_allows_too_much_still_leads_to_no_other_host() {
    let definition = parse(&with("[a-z0-9-]+", ".*")).unwrap();
    for value in [
        "evil.example.org/",
        "evil.example.org?",
        "evil.example.org#",
        "x@evil.example.org",
        "x:1@y",
        "x\\y",
        "a b",
        "..",
        "-",
    ] {
        let given = BTreeMap::from([("tenant".to_owned(), value.to_owned())]);
        assert!(definition.resolve(&given).is_err(), "{value}");
    }
}
