//! Who owns what, as a picture: what somebody owns ends with their exit, and what nobody owns ends with nobody's.

use std::collections::BTreeMap;

use super::{Look, lead, unreadable};
use crate::cli::plugin::coverage::{Counted, Found, Unowned};
use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::ui::frame::{Page, Tone, chip, command, or_nothing, section, table, thousands};
use crate::cli::plugin::ui::lists::{Cut, ROWS, choice, form};

/// What it takes to see it.
const TAKES: &str = "It takes list on serviceaccounts, rolebindings and clusterrolebindings in all namespaces.";
/// Namespaces in the picture.
const DRAWN: usize = 40;

/// The page.
pub fn page(look: &Look<'_>, found: Result<&Found, &String>) -> Page {
    let lead = lead("What of the cluster has an owner who is known. What nobody owns ends with nobody's exit.");
    let body = match found {
        Err(why) => Html::from([lead, unreadable(why, TAKES), of_policies(look)]),
        Ok(found) => Html::from([lead, shown(look, found), of_policies(look)]),
    };
    Page { of: "coverage", title: "Coverage".to_owned(), live: false, body }
}

fn shown(look: &Look<'_>, found: &Found) -> Html {
    let (why, of) = (look.query.get("why"), look.query.get("of"));
    let wanted = |one: &&Unowned| (why.is_empty() || one.why == why) && (of.is_empty() || one.namespace == of);
    let unowned: Vec<&Unowned> = found.unowned.iter().filter(wanted).collect();
    let cut = Cut::of(Some(look.query.get("page")), unowned.len());
    let links = || cut.links("coverage", &[("why", why), ("of", of)]);
    let rows = unowned.into_iter().skip(cut.before()).take(ROWS).map(row).collect();
    let head = ["What", "Why", "Perhaps", "Because"];
    let whys = ["AccountUnowned", "NoOwner", "SeveralOwners", "UnknownOwner", "UnknownUser"];
    let namespaces: Vec<&str> = found.namespaces.keys().map(String::as_str).collect();
    let fields = vec![choice("Why", "why", &whys, why), choice("Namespace", "of", &namespaces, of)];
    let suggested = found.unowned.iter().any(|one| one.suggested.is_some());
    let own = suggested.then(|| {
        let line = command("kubectl rollcall own --suggest > owners.yaml");
        el("p", &[], vec![Html::from("To write the owners that are suggested: "), line])
    });
    let notes: Vec<Html> = found.notes.iter().map(|note| el("li", &[], data(note))).collect();
    let notes = if notes.is_empty() { Html::default() } else { el("ul", &[("class", "lines")], notes) };
    Html::from([
        section("picture", "ServiceAccounts with an owner", picture(found)),
        section("reasons", "What nobody owns, by reason", reasons(&found.unowned)),
        section("namespaces", "By namespace", by_namespace(&found.namespaces)),
        section(
            "unowned",
            "What nobody owns",
            vec![
                form("coverage", "Which of it", fields),
                links(),
                table("What nobody owns", &head, rows),
                links(),
                own.into(),
                notes,
            ],
        ),
    ])
}

fn row(one: &Unowned) -> Vec<Html> {
    vec![
        data(&one.what()),
        chip(Tone::Waits, one.why),
        or_nothing(one.suggested.as_deref().unwrap_or_default()),
        or_nothing(one.because.as_deref().unwrap_or_default()),
    ]
}

/// A bar of two parts, of a hundred units.
fn bar(class: &'static str, owned: usize, all: usize) -> Html {
    let share = share(owned, all);
    let rest = format!("{:.1}", 100.0 - share);
    let (share, label) = (format!("{share:.1}"), format!("{owned} of {all} have an owner"));
    let rects = vec![
        el("rect", &[("x", "0"), ("y", "0"), ("width", "100"), ("height", "10"), ("class", "open")], ""),
        el("rect", &[("x", "0"), ("y", "0"), ("width", &share), ("height", "10"), ("class", "ours")], ""),
        el(
            "rect",
            &[
                ("x", &share),
                ("y", "0"),
                ("width", if rest == "0.0" { "0" } else { "0.4" }),
                ("height", "10"),
                ("class", "gap"),
            ],
            "",
        ),
    ];
    let view = [
        ("class", class),
        ("viewBox", "0 0 100 10"),
        ("preserveAspectRatio", "none"),
        ("role", "img"),
        ("aria-label", label.as_str()),
    ];
    el("svg", &view, rects)
}

/// Percent.
fn share(owned: usize, all: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if all == 0 { 100.0 } else { number(owned) * 100.0 / number(all) }
}

fn picture(found: &Found) -> Html {
    if found.accounts == 0 {
        return el("p", &[("class", "empty")], "There is no ServiceAccount that may be somebody's.");
    }
    let words = format!(
        "{} of {} accounts have an owner who is known: {:.0} %.",
        thousands(found.owned),
        thousands(found.accounts),
        share(found.owned, found.accounts).floor()
    );
    let key = el(
        "ul",
        &[("class", "key")],
        vec![
            el("li", &[("class", "ours")], "an owner is known"),
            el("li", &[("class", "open")], "nobody is, or several"),
        ],
    );
    Html::from([el("p", &[], words), bar("bar large", found.owned, found.accounts), key])
}

fn reasons(unowned: &[Unowned]) -> Html {
    let mut by_reason: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in unowned {
        *by_reason.entry((one.kind, one.why)).or_default() += 1;
    }
    let row = |((kind, why), many): (&(&str, &str), &usize)| {
        vec![Html::from(*kind), chip(Tone::Waits, *why), Html::from(meaning(why)), Html::from(thousands(*many))]
    };
    table("Reasons", &["Kind", "Why", "What that means", "How many"], by_reason.iter().map(row).collect())
}

/// A reason in words.
fn meaning(why: &str) -> &'static str {
    match why {
        "NoOwner" => "it has no owner annotation",
        "UnknownOwner" => "its owner annotation names nobody who is known",
        "SeveralOwners" => "its owner annotation names several people",
        "AccountUnowned" => "it is a token of an account that nobody owns",
        "UnknownUser" => "it binds a user of the form that people have, who is nobody known",
        _ => "",
    }
}

fn by_namespace(namespaces: &BTreeMap<String, Counted>) -> Html {
    let mut all: Vec<(&String, &Counted)> = namespaces.iter().collect();
    all.sort_by_key(|(name, here)| (std::cmp::Reverse(here.accounts.saturating_sub(here.owned)), *name));
    let rest = all.len().saturating_sub(DRAWN);
    let row = |(name, here): &(&String, &Counted)| {
        let numbers = format!("{} of {}", thousands(here.owned), thousands(here.accounts));
        vec![data(name), bar("bar", here.owned, here.accounts), Html::from(numbers)]
    };
    let rows = all.iter().take(DRAWN).map(row).collect();
    let more = (rest > 0)
        .then(|| el("p", &[("class", "small")], format!("and {rest} more namespaces, with less that nobody owns")));
    Html::from([table("Namespaces", &["Namespace", "Owned, and not", "With an owner"], rows), more.into()])
}

/// What the policies count themselves, which needs no more rights.
fn of_policies(look: &Look<'_>) -> Html {
    let row = |policy: &crate::api::SyncPolicy| {
        let coverage = policy.status.as_ref()?.coverage.as_ref()?;
        let number = |many: u32| Html::from(thousands(many as usize));
        Some(vec![
            data(policy.metadata.name.as_deref().unwrap_or_default()),
            number(coverage.owned),
            number(coverage.unowned),
            number(coverage.ambiguous),
            number(coverage.users),
            number(coverage.unknown_users),
        ])
    };
    let head = ["Policy", "Accounts with an owner", "without", "with several", "Users who are known", "who are not"];
    section(
        "counted",
        "As each policy counts it",
        table("Counted by policies", &head, look.world.policies.iter().filter_map(row).collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{company, look, query};
    use super::*;

    fn found() -> Found {
        let unowned = |number: usize| Unowned {
            kind: "ServiceAccount",
            namespace: "apps".into(),
            name: format!("bot-{number:03}"),
            why: "NoOwner",
            suggested: (number == 0).then(|| "id:hq/7".to_owned()),
            because: None,
        };
        Found {
            accounts: 400,
            owned: 250,
            namespaces: BTreeMap::from([
                ("apps".to_owned(), Counted { accounts: 200, owned: 50 }),
                ("web".to_owned(), Counted { accounts: 200, owned: 200 }),
            ]),
            unowned: (0..150).map(unowned).collect(),
            notes: vec!["You may not list Secrets".to_owned()],
        }
    }

    #[test]
    fn the_picture_says_in_words_what_it_draws_and_the_list_is_cut() {
        let (world, first, second) = (company(), query(""), query("page=2&why=NoOwner&of=apps"));
        let html = page(&look(&world, &first, false), Ok(&found())).body;
        let html = html.as_str();
        assert!(html.contains("aria-label=\"250 of 400 have an owner\"") && html.contains("62 %"), "{html}");
        assert_eq!(html.matches("<rect").count(), html.matches("></rect>").count(), "shapes lie beside one another");
        assert!(html.contains("bot-000") && html.contains("bot-099") && !html.contains("bot-100"), "{html}");
        assert!(html.contains("own --suggest") && html.contains("You may not list Secrets"), "{html}");
        let html = page(&look(&world, &second, false), Ok(&found())).body;
        assert!(html.as_str().contains("bot-149") && !html.as_str().contains("bot-099"), "{html:?}");
    }

    #[test]
    fn without_the_rights_it_says_so_and_shows_what_the_policies_count() {
        let (world, query) = (company(), query(""));
        let why = "serviceaccounts is forbidden".to_owned();
        let html = page(&look(&world, &query, false), Err(&why)).body;
        assert!(
            html.as_str().contains("serviceaccounts is forbidden") && html.as_str().contains("Counted by policies")
        );
    }

    #[test]
    fn nothing_to_own_is_wholly_owned_and_every_reason_has_words() {
        assert!((share(0, 0) - 100.0).abs() < f64::EPSILON && (share(1, 3) - 33.3).abs() < 0.1);
        for why in ["AccountUnowned", "NoOwner", "SeveralOwners", "UnknownOwner", "UnknownUser"] {
            assert!(!meaning(why).is_empty(), "{why}");
        }
    }
}
