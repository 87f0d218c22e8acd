//! `rollcall connectors`: what the catalogue holds, and whether a definition of one's own can be used.
//!
//! Asks nothing of any system, and needs no cluster: fit for a pipeline.

mod page;
#[cfg(feature = "fake-hr")]
mod test;

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Failure;
use super::output::Output;
use super::terminal::{columns, plain, say};
use crate::api::names;
use domain::employee::Field;
use hris::{self, Definition};

/// What there is to do with connectors.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all connectors
    List(List),
    /// Show what a connector needs, its fields and its limitations
    Show(Show),
    /// Write a documentation page for each connector, and an index
    Docs(page::Docs),
    /// Check definitions of your own; fails if one of them cannot be used
    Check(Check),
    /// Test folders of connectors: read their recorded pages, with every fault
    #[cfg(feature = "fake-hr")]
    Test(test::Test),
}

/// Options of `rollcall connectors list`.
#[derive(Debug, Args)]
pub struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Options of `rollcall connectors show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Name of the connector, as shown by `list`
    name: String,
    /// Output format
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// A connector, as it is listed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    system: String,
    evidence: &'static str,
    run_live: Option<Date>,
    first_day: bool,
    last_day: bool,
    leave: bool,
    manager: bool,
    fields: Vec<&'static str>,
}

/// Options of `rollcall connectors check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The definitions
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Does what was asked.
///
/// # Errors
/// When there is no such connector, or a definition cannot be used, or a folder does not give what is expected.
pub async fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options.output),
        Command::Show(options) => {
            let one = hris::connector(&options.name).map_err(Failure::Refused)?;
            options.output.print(&facts(&one), || Ok(show(&one)))
        }
        Command::Docs(options) => page::write(options),
        Command::Check(options) => check(options),
        #[cfg(feature = "fake-hr")]
        Command::Test(options) => test::test(options).await,
    }
}

fn list(output: Output) -> Result<(), Failure> {
    let found = hris::connectors().into_iter().map(hris::connector).collect::<Result<Vec<_>, _>>();
    let rows: Vec<Row> = found.map_err(Failure::Refused)?.iter().map(row).collect();
    output.print(&rows, || Ok(listed(&rows, output.wide())))
}

fn row(one: &Definition) -> Row {
    Row {
        name: one.name.clone(),
        system: one.title.clone(),
        evidence: one.evidence.as_str(),
        run_live: one.last_live_run().map(|run| run.on),
        first_day: one.offers(Field::HireDate),
        last_day: one.offers(Field::TerminationDate),
        leave: one.tells_leave(),
        manager: one.offers(Field::Manager),
        fields: one.fields_offered(),
    }
}

fn listed(rows: &[Row], wide: bool) -> String {
    let head = ["NAME", "SYSTEM", "EVIDENCE", "RUN LIVE", "FIRST DAY", "LAST DAY", "LEAVE", "MANAGER"];
    let cells = |row: &Row| {
        let yes = |given: bool| if given { "yes" } else { "-" }.to_owned();
        let run_live = row.run_live.map_or_else(|| "-".to_owned(), |on| on.to_string());
        let mut cells = vec![row.name.clone(), row.system.clone(), row.evidence.to_owned(), run_live];
        cells.extend([row.first_day, row.last_day, row.leave, row.manager].map(yes));
        cells.extend(wide.then(|| row.fields.join(" ")));
        cells
    };
    let head = head.into_iter().chain(wide.then_some("FIELDS")).map(str::to_owned).collect();
    columns(head, rows.iter().map(cells))
}

/// What [`show`] says, for programs.
fn facts(one: &Definition) -> Value {
    let parameter = |(name, parameter): (&String, &hris::Parameter)| {
        (name.clone(), json!({"says": parameter.says, "default": parameter.default}))
    };
    let meaning = |(word, rule): (&String, &hris::definition::StatusRule)| (word.clone(), json!(rule.means.as_str()));
    let run = |run: &hris::definition::LiveRun| json!({"on": run.on, "by": run.by, "report": run.report});
    json!({
        "name": one.name,
        "system": one.title,
        "evidence": one.evidence.as_str(),
        "prerequisites": one.setup,
        "parameters": one.parameters.iter().map(parameter).collect::<Map<_, _>>(),
        "credentials": one.credentials,
        "rotates": one.rotates(),
        "fields": one.fields_offered(),
        "statuses": one.statuses.iter().map(meaning).collect::<Map<_, _>>(),
        "searches": one.searches(),
        "cannot": one.cannot,
        "sources": one.sources,
        "runLive": one.run_live.iter().map(run).collect::<Vec<_>>(),
    })
}

/// Everything an admin needs to know of a connector before writing a connection.
fn show(one: &Definition) -> String {
    let mut text = format!("{} ({}), {}\n", one.title, one.name, one.evidence.as_str());
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    part("Prerequisites", one.setup.lines().map(str::to_owned).collect());
    let parameter = |(name, parameter): (&String, &hris::Parameter)| match &parameter.default {
        Some(default) => format!("{name}: {} (usually {default})", parameter.says),
        None => format!("{name}: {}", parameter.says),
    };
    part("Parameters", one.parameters.iter().map(parameter).collect());
    part("Keys of the Secret", one.credentials.iter().map(|(key, says)| format!("{key}: {says}")).collect());
    let written =
        one.rotates().map(|key| format!("annotations: {{{}: {key}}}, because each use replaces it", names::ROTATES));
    part("In the metadata of the Secret", written.into_iter().collect());
    part("Fields", vec![one.fields_offered().join(", ")]);
    let meaning = |(word, rule): (&String, &hris::definition::StatusRule)| format!("{word}: {}", rule.means.as_str());
    part(
        "Status words (map others, or other meanings, in source.api.statuses)",
        one.statuses.iter().map(meaning).collect(),
    );
    part("Requests other than GET, with the pages that show that they only read", one.searches());
    part("Limitations: it cannot", one.cannot.clone());
    part("Sources", one.sources.clone());
    part("Run live", live_runs(one));
    let parameters: Vec<_> = one.parameters.keys().map(|name| format!("{name}: …")).collect();
    let mut connection = vec![
        "source:".to_owned(),
        "  api:".to_owned(),
        format!("    connector: {}", one.name),
        format!("    credentialsRef: {{name: {}}}", one.name),
    ];
    connection.extend((!parameters.is_empty()).then(|| format!("    parameters: {{{}}}", parameters.join(", "))));
    part("In the spec of an HRConnection", connection);
    text.trim_end().to_owned()
}

/// Who ran it against a real system, the newest first; or that nobody said so.
fn live_runs(one: &Definition) -> Vec<String> {
    if one.run_live.is_empty() {
        return vec!["nobody has reported this yet: docs/connectors/reporting.md".to_owned()];
    }
    let mut runs: Vec<_> = one.run_live.iter().collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.on));
    runs.into_iter().map(|run| format!("on {} by {}: {}", run.on, run.by, run.report)).collect()
}

fn check(options: &Check) -> Result<(), Failure> {
    let mut refused = 0;
    for file in &options.files {
        let text = fs::read_to_string(file).map_err(|error| Failure::file(file, error))?;
        match Definition::parse(&file.display().to_string(), &text) {
            Ok(one) => {
                say(&format!("{}: valid: {} has {}", file.display(), one.title, one.fields_offered().join(", ")))
            }
            Err(why) => {
                refused += 1;
                say(&plain(&why.to_string()));
            }
        }
    }
    let all = options.files.len();
    if refused == 0 { Ok(()) } else { Err(Failure::Refused(format!("{refused} of {all} definitions cannot be used"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hris::definition::LiveRun;

    #[test]
    fn a_connector_whose_credential_is_replaced_says_what_its_secret_needs() {
        let shown: Vec<_> = hris::connectors().into_iter().map(|name| hris::connector(name).unwrap()).collect();
        let rotating = shown.iter().filter(|one| one.rotates().is_some());
        let said = rotating.map(show).filter(|text| text.contains("annotations: {rollcall.dev/rotates: ")).count();
        assert_eq!(said, shown.iter().filter(|one| one.rotates().is_some()).count());
        assert!(said > 0);
    }

    #[test]
    fn a_connector_is_shown_with_everything_a_connection_needs() {
        insta::assert_snapshot!(show(&hris::connector("bamboohr").unwrap()));
    }

    #[test]
    fn a_connector_says_who_ran_it_live_or_that_nobody_did() {
        let mut one = hris::connector("okta").unwrap();
        one.run_live.clear();
        assert!(show(&one).contains("Run live\n  nobody has reported this yet"));
        for (by, on) in [("Acme", "2026-01-31"), ("Umbra", "2026-03-02")] {
            let report = "https://example.com/report".to_owned();
            one.run_live.push(LiveRun { by: by.to_owned(), on: on.parse().unwrap(), report });
        }
        let newest_first = "Run live\n  on 2026-03-02 by Umbra: https://example.com/report\n  on 2026-01-31 by Acme: ";
        assert!(show(&one).contains(newest_first), "{}", show(&one));
    }

    #[test]
    fn every_connector_of_the_catalogue_can_be_listed_and_shown() {
        for output in [Output::Table, Output::Wide, Output::Json, Output::Yaml] {
            list(output).unwrap();
        }
        for name in hris::connectors() {
            let shown = show(&hris::connector(name).unwrap());
            assert!(shown.contains("Prerequisites") && shown.contains("Sources"), "{name}");
            let facts = facts(&hris::connector(name).unwrap());
            assert!(facts["fields"].as_array().is_some_and(|fields| !fields.is_empty()), "{name}: {facts}");
        }
    }

    #[test]
    fn a_definition_that_cannot_be_used_fails_the_pipeline() {
        let good = PathBuf::from("connectors/bamboohr/connector.yaml");
        assert!(check(&Check { files: vec![good.clone()] }).is_ok());
        let bad = check(&Check { files: vec![good, "Cargo.toml".into()] }).unwrap_err();
        assert_eq!(bad.to_string(), "1 of 2 definitions cannot be used");
        assert!(check(&Check { files: vec!["nowhere.yaml".into()] }).is_err());
    }
}
