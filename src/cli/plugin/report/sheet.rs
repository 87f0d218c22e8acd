//! Rows under a header, as a table, CSV, JSON, or a page that can be printed.

use clap::ValueEnum;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::Days;
use crate::cli::Failure;
use crate::cli::plugin::html::escaped;
use crate::cli::plugin::output;
use crate::cli::terminal::{columns, harmless, say};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns, the most important ones
    Table,
    /// Aligned columns, all in which something stands
    Wide,
    /// All columns, for a spreadsheet
    Csv,
    /// All there is
    Json,
    /// The same as YAML
    Yaml,
    /// A page of its own, to be printed or attached
    Html,
}

/// A column: its name, whether the table and the page have it, and what stands in it: one line or several.
pub type Column<R> = (&'static str, bool, fn(&R) -> Vec<String>);

/// A report.
pub struct Sheet<'a, R> {
    /// What it is called.
    pub title: &'a str,
    /// Which days it is about.
    pub days: Days,
    /// When it was made.
    pub now: Timestamp,
    /// What the reader has to know.
    pub about: String,
    /// The rows.
    pub rows: &'a [R],
    /// The columns.
    pub columns: &'a [Column<R>],
}

impl<R: Serialize> Sheet<'_, R> {
    /// Prints it.
    pub fn print(&self, output: Output) -> Result<(), Failure> {
        let text = match output {
            Output::Table | Output::Wide if self.rows.is_empty() => format!("Nobody. {}", self.about),
            Output::Table => self.table(false),
            Output::Wide => self.table(true),
            Output::Csv => self.csv()?,
            Output::Json => output::json(&self.whole())?,
            Output::Yaml => output::yaml(&self.whole())?,
            Output::Html => self.html(),
        };
        say(text.trim_end());
        Ok(())
    }

    /// The columns that a reader sees: those in which something stands; of these only the important ones, unless all are asked for.
    fn shown(&self, all: bool) -> Vec<&Column<R>> {
        let filled =
            |of: fn(&R) -> Vec<String>| self.rows.iter().any(|row| of(row).iter().any(|line| !line.is_empty()));
        self.columns.iter().filter(|(_, important, of)| (all || *important) && filled(*of)).collect()
    }

    fn table(&self, all: bool) -> String {
        let shown = self.shown(all);
        let head = shown.iter().map(|(name, ..)| (*name).to_owned()).collect();
        columns(head, self.rows.iter().map(|row| shown.iter().map(|(.., of)| of(row).join("; ")).collect()))
    }

    fn csv(&self) -> Result<String, Failure> {
        let unwritable = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.columns.iter().map(|(name, ..)| name)).map_err(|error| unwritable(&error))?;
        for row in self.rows {
            let cells = self.columns.iter().map(|(.., of)| harmless(&of(row).join("; ")));
            writer.write_record(cells).map_err(|error| unwritable(&error))?;
        }
        let bytes = writer.into_inner().map_err(|error| unwritable(&error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All there is, for programs.
    fn whole(&self) -> Value {
        let Days { from, to } = self.days;
        let (report, made, about) = (self.title, self.now, &self.about);
        json!({"report": report, "from": from, "to": to, "made": made, "about": about, "rows": self.rows})
    }

    /// A page without anything from elsewhere: no script, no picture, no font.
    fn html(&self) -> String {
        let Days { from, to } = self.days;
        let (title, about, made) = (escaped(self.title), escaped(&self.about), format!("{:.0}", self.now));
        let shown = self.shown(false);
        let head: String = shown.iter().map(|(name, ..)| format!("<th>{}</th>", escaped(name))).collect();
        let mut body = String::new();
        for row in self.rows {
            body.push_str("<tr>");
            for (.., of) in &shown {
                let lines: Vec<String> = of(row).iter().map(|line| escaped(line)).collect();
                body.push_str(&format!("<td>{}</td>", lines.join("<br>")));
            }
            body.push_str("</tr>\n");
        }
        let rows = self.rows.len();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}, {from} to {to}</title>\n<style>{STYLE}</style>\n\
            <h1>{title}</h1>\n<p>{from} to {to}. Made by Rollcall at {made}. {rows} rows. {about}</p>\n\
            <table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n<p class=\"sign\">Reviewed by: <span></span> Date: <span></span></p>\n</html>\n"
        )
    }
}

/// On paper: small, in landscape, the header again on each page, no row torn apart.
const STYLE: &str = "body{font:11px/1.4 sans-serif;margin:2em}table{border-collapse:collapse;width:100%}\
    th,td{border:1px solid #999;padding:3px 5px;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eee}\
    tr{break-inside:avoid}thead{display:table-header-group}.sign span{display:inline-block;width:18em;border-bottom:1px solid #333}\
    @page{size:landscape;margin:1cm}@media print{body{margin:0;font-size:9px}}";

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[derive(Serialize)]
    struct Row {
        what: &'static str,
    }

    const COLUMNS: [Column<Row>; 3] = [
        ("WHAT", true, |row| vec![row.what.to_owned(), "two".to_owned()]),
        ("EMPTY", true, |_| Vec::new()),
        ("MORE", false, |_| vec!["more".to_owned()]),
    ];

    fn sheet(rows: &[Row]) -> Sheet<'_, Row> {
        let days = Days { from: date(2026, 1, 1), to: date(2026, 3, 31) };
        let now = Timestamp::UNIX_EPOCH;
        Sheet { title: "Test", days, now, about: "About.".into(), rows, columns: &COLUMNS }
    }

    #[test]
    fn nothing_in_a_cell_is_markup_a_formula_or_unseen() {
        let rows = [Row { what: "<b>\"=1\u{1b}&" }, Row { what: "=1+1" }];
        let page = sheet(&rows).html();
        assert!(page.contains("<td>&lt;b&gt;&quot;=1\\u{1b}&amp;<br>two</td>"), "{page}");
        assert!(!page.contains("http") && !page.contains("<script"), "nothing from elsewhere");
        let csv = sheet(&rows).csv().unwrap();
        assert!(csv.contains("'=1+1; two,,more"), "{csv}");
    }

    #[test]
    fn a_reader_sees_the_important_columns_in_which_something_stands_and_a_spreadsheet_all() {
        let rows = [Row { what: "one" }];
        assert_eq!(sheet(&rows).table(false).lines().next(), Some(" WHAT"));
        assert_eq!(sheet(&rows).table(true).lines().next(), Some(" WHAT      MORE"));
        assert!(sheet(&rows).csv().unwrap().starts_with("WHAT,EMPTY,MORE\n"));
        let json = sheet(&rows).whole();
        assert_eq!((&json["from"], &json["rows"][0]["what"]), (&"2026-01-01".into(), &"one".into()));
    }
}
