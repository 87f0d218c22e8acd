//! The trust of a connection over time: a strip, and the same as a table.

use jiff::{SignedDuration, Timestamp};

use crate::cli::plugin::html::{Html, data, el};
use crate::cli::plugin::status::connection::Spell;
use crate::cli::plugin::ui::frame::{Tone, chip, lasts, nothing, or_nothing, table, thousands, time};

/// The strip goes back so far at most; the table goes back as far as is known.
const DRAWN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A strip that is shorter ends now.
const SHORT: SignedDuration = SignedDuration::from_hours(48);
/// A part of the strip is at least so wide, of a hundred: a short time without an answer is seen too.
const LEAST: f64 = 0.6;

/// What is known of it, the newest first.
pub fn over_time(spells: &[Spell], now: Timestamp) -> Html {
    let Some(oldest) = spells.last() else {
        return el("p", &[("class", "empty")], "Nothing is known yet: it is remembered from the next read on.");
    };
    let ends = drawn_until(oldest.from, now);
    let begins = ends.checked_sub(DRAWN).map_or(oldest.from, |earliest| oldest.from.max(earliest)).min(ends);
    let head = ["From", "For", "Trusted", "Reason", "People read"];
    Html::from([
        strip(spells, begins, ends),
        el("p", &[("class", "small")], vec![time(begins), Html::from(" until now")]),
        el(
            "ul",
            &[("class", "key")],
            vec![
                el("li", &[("class", "ours")], "trusted"),
                el("li", &[("class", "half")], "held: what was read is not believed"),
                el("li", &[("class", "open")], "no whole response"),
            ],
        ),
        table("Its trust over time", &head, spells.iter().map(|one| row(one, now)).collect()),
    ])
}

/// Where the strip ends: with the hour, once it is long enough that nobody sees that. A page that is looked at replaces what changed, and
/// time alone is no change.
fn drawn_until(oldest: Timestamp, now: Timestamp) -> Timestamp {
    let hour = now.as_second().saturating_add(3_599).div_euclid(3_600).saturating_mul(3_600);
    let ends = Timestamp::from_second(hour).unwrap_or(now);
    if now.duration_since(oldest) < SHORT { now } else { ends }
}

fn row(one: &Spell, now: Timestamp) -> Vec<Html> {
    let (tone, word) = if one.trusted { (Tone::Good, "yes") } else { (Tone::Bad, "no") };
    let lasted = one.until.unwrap_or(now).duration_since(one.from).as_secs().max(0);
    let people = one.people.map_or_else(nothing, |people| Html::from(thousands(people as usize)));
    vec![time(one.from), Html::from(lasts(lasted)), chip(tone, word), or_nothing(&one.reason), people]
}

/// Where a time begins and ends in the strip, of a hundred; nothing of one that had ended before the strip begins.
fn place(one: &Spell, begins: Timestamp, now: Timestamp) -> Option<(f64, f64)> {
    let whole = now.duration_since(begins).as_secs_f64().max(1.0);
    let at = |instant: Timestamp| 100.0 * instant.duration_since(begins).as_secs_f64() / whole;
    let ends = at(one.until.unwrap_or(now)).clamp(0.0, 100.0);
    (ends > 0.0).then(|| (at(one.from).clamp(0.0, 100.0), ends))
}

/// Times in which responses were trusted lie below the others, which are never too narrow to be seen.
fn strip(spells: &[Spell], begins: Timestamp, now: Timestamp) -> Html {
    let placed: Vec<_> = spells.iter().filter_map(|one| Some((one, place(one, begins, now)?))).collect();
    let part = |(one, (from, to)): &(&Spell, (f64, f64))| {
        let class = match (one.trusted, one.people) {
            (true, _) => "ours",
            (false, Some(_)) => "half",
            (false, None) => "open",
        };
        let width = (to - from).max(LEAST);
        let (x, width) = (format!("{:.2}", from.min(100.0 - width)), format!("{width:.2}"));
        el("rect", &[("x", &x), ("y", "0"), ("width", &width), ("height", "10"), ("class", class)], "")
    };
    let trusted = || placed.iter().filter(|(one, _)| one.trusted);
    let share: f64 = trusted().map(|(_, (from, to))| to - from).sum();
    let label = format!(
        "responses were trusted for {:.1} % of the last {}",
        (share * 10.0).floor() / 10.0,
        lasts(now.duration_since(begins).as_secs())
    );
    let view = [
        ("class", "bar large"),
        ("viewBox", "0 0 100 10"),
        ("preserveAspectRatio", "none"),
        ("role", "img"),
        ("aria-label", label.as_str()),
    ];
    let parts: Vec<Html> = trusted().chain(placed.iter().filter(|(one, _)| !one.trusted)).map(part).collect();
    Html::from([el("p", &[], data(&sentence(&label))), el("svg", &view, parts)])
}

/// The label, as a sentence of its own for who sees the strip.
fn sentence(label: &str) -> String {
    let mut text = label.to_owned();
    text.replace_range(..1, "R");
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn spell(from: i64, until: Option<i64>, reason: &str, people: Option<u32>) -> Spell {
        let (from, until) = (at(from), until.map(at));
        Spell { from, until, trusted: reason == "Trusted", reason: reason.to_owned(), people }
    }

    #[test]
    fn the_strip_says_in_words_what_it_draws_and_what_it_draws_stands_in_the_table() {
        let spells = [
            spell(90, None, "<Shrunk>", Some(4)),
            spell(50, Some(90), "Trusted", Some(412)),
            spell(49, Some(50), "TimedOut", None),
            spell(0, Some(49), "Trusted", Some(411)),
        ];
        let html = over_time(&spells, at(100));
        let html = html.as_str();
        assert!(html.contains("aria-label=\"responses were trusted for 89.0 % of the last 4 d\""), "{html}");
        assert!(html.contains("Responses were trusted for 89.0 %"), "{html}");
        for part in
            ["x=\"0.00\" y=\"0\" width=\"49.00\"", "x=\"90.00\" y=\"0\" width=\"10.00\" height=\"10\" class=\"half\""]
        {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(html.contains("class=\"open\"></rect>") && html.contains("TimedOut"), "{html}");
        assert!(html.contains("&lt;Shrunk&gt;") && !html.contains("<Shrunk>"), "{html}");
        assert!(!html.contains("style="), "nothing inline");
    }

    #[test]
    fn what_was_before_the_strip_begins_is_not_drawn_and_a_moment_is_wide_enough_to_be_seen() {
        let now = at(24 * 60);
        let moment = Spell { until: Some(at(24 * 60)), ..spell(24 * 60, None, "TimedOut", None) };
        let spells = [moment, spell(2, Some(24 * 60), "Trusted", Some(1)), spell(0, Some(2), "Empty", Some(0))];
        let html = over_time(&spells, now);
        let html = html.as_str();
        assert_eq!(html.matches("<rect").count(), 2, "{html}");
        assert!(html.contains("x=\"99.40\" y=\"0\" width=\"0.60\""), "it stays within the strip: {html}");
        assert!(html.contains("of the last 30 d") && html.contains("Empty"), "the table has all of it: {html}");
    }

    #[test]
    fn time_alone_changes_nothing_that_is_drawn() {
        let spells = [spell(50, None, "TimedOut", None), spell(0, Some(50), "Trusted", Some(411))];
        let drawn = |minutes: i64| over_time(&spells, at(24 * 40) + SignedDuration::from_mins(minutes));
        assert_eq!(drawn(1).as_str(), drawn(59).as_str());
        let young = [spell(0, None, "Trusted", Some(411))];
        assert_eq!(
            drawn_until(young[0].from, at(1) + SignedDuration::from_mins(1)),
            at(1) + SignedDuration::from_mins(1)
        );
    }

    #[test]
    fn nothing_known_is_said() {
        assert!(over_time(&[], at(1)).as_str().contains("Nothing is known yet"));
    }
}
