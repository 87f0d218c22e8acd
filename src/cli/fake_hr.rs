//! `rollcall fake-hr`: simulates an HR system on this machine, to try Rollcall with.
//!
//! The company is invented, and so is everybody in it. Needs no cluster, and asks nothing of any system.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::interval;

use super::Failure;
use super::terminal::say;
use crate::kube::calls;
use fake_hr::{self as fake, Company, Fake, Scenario, Setup};
use hris::{self, Definition};

/// Options of `rollcall fake-hr`.
#[derive(Debug, Args)]
pub struct Options {
    /// The connector to simulate, as shown by `rollcall connectors list`
    #[arg(long, value_name = "CONNECTOR", required_unless_present = "definition", conflicts_with = "definition")]
    like: Option<String>,
    /// A definition of your own, instead of a connector
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// Number of people, including those who have left and those who start later
    #[arg(long, default_value_t = 500)]
    people: usize,
    /// The same seed and number of people give the same company
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What happens: quiet, growth, layoff, leaver, rehire, empty, shrunk
    #[arg(long, default_value = "quiet")]
    scenario: Scenario,
    /// Let a day of the company pass at this interval, such as 30s
    #[arg(long, value_name = "DURATION")]
    day_every: Option<SignedDuration>,
    // docs/fake-hr.md says what each of them is.
    #[arg(long, value_name = "FAULT", help = faults())]
    fault: Vec<String>,
    /// A parameter of the connector, such as subdomain=acme; others are generated
    #[arg(long, value_name = "NAME=VALUE")]
    parameter: Vec<String>,
    /// Records on a page, if the connector does not define it
    #[arg(long, value_name = "RECORDS")]
    page: Option<usize>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Address under which others reach it, if it differs, such as http://fake-hr.rollcall.svc:8080
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Write the definition and a manifest that read it into this folder
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Do not print every request
    #[arg(long)]
    quiet: bool,
}

/// The faults there are, for the help.
fn faults() -> String {
    let names: Vec<_> = fake::faults().into_iter().map(|(name, _)| name).collect();
    format!(
        "A fault, such as html, forbidden@details, throttled:3 or field-gone=email; may be given several times: {}",
        names.join(", ")
    )
}

/// Serves until it is interrupted.
///
/// # Errors
/// When the definition cannot be used or played, or the address cannot be listened on.
pub async fn run(options: &Options) -> Result<(), Failure> {
    let (file, text) = definition(options)?;
    let definition = Definition::parse(&file, &text).map_err(|refused| Failure::Refused(refused.to_string()))?;
    let listener = TcpListener::bind(options.listen).await;
    let listener = listener.map_err(|error| Failure::Refused(format!("listen on {}: {error}", options.listen)))?;
    let bound = listener.local_addr().map_err(|error| Failure::Refused(error.to_string()))?;
    let here = options.url.clone().unwrap_or_else(|| format!("http://{bound}"));
    let here = here.trim_end_matches('/').to_owned();
    let company = Company { seed: options.seed, people: options.people, scenario: options.scenario, first: today() };
    let setup = Setup { definition, parameters: parameters(&options.parameter)?, company, page: options.page, here };

    let tell: fake::Tell = if options.quiet { Box::new(|_| {}) } else { Box::new(say) };
    let fake = Fake::new(&setup, Box::new(today), tell).map_err(Failure::Refused)?;
    for fault in &options.fault {
        fake.bring(fault).map_err(Failure::Refused)?;
    }
    let read = Reading::new(&setup, &text)?;
    if let Some(dir) = &options.write {
        read.write(dir)?;
    }
    say(&shown(&setup, &read, &fake, options));
    if let Some(every) = options.day_every {
        let every = std::time::Duration::try_from(every).ok().filter(|every| !every.is_zero());
        let every = every.ok_or_else(|| Failure::Refused("--day-every must be more than 0".to_owned()))?;
        tokio::spawn(days(fake.clone(), every));
    }
    fake.serve(listener).await.map_err(|error| Failure::Refused(format!("serve: {error}")))
}

fn today() -> jiff::civil::Date {
    calls::now().to_zoned(TimeZone::UTC).date()
}

async fn days(fake: Fake, every: std::time::Duration) {
    let mut days = interval(every);
    days.tick().await; // the first is at once
    loop {
        days.tick().await;
        let _ = fake.pass_day(); // a company has days
    }
}

/// Name and text of the definition.
fn definition(options: &Options) -> Result<(String, String), Failure> {
    match (&options.like, &options.definition) {
        (Some(name), _) => {
            let text = hris::connector_text(name).map_err(Failure::Refused)?;
            Ok((format!("connectors/{name}/connector.yaml"), text.to_owned()))
        }
        (None, Some(file)) => {
            let text = fs::read_to_string(file).map_err(|error| Failure::file(file, error))?;
            Ok((file.display().to_string(), text))
        }
        (None, None) => Err(Failure::Refused("give one of --like and --definition".to_owned())),
    }
}

fn parameters(given: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) =
            text.split_once('=').ok_or_else(|| Failure::Refused(format!("--parameter {text}: must be NAME=VALUE")))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(pair).collect()
}

/// What reads the fake.
struct Reading {
    name: String,
    definition: String,
    manifest: String,
}

impl Reading {
    fn new(setup: &Setup, text: &str) -> Result<Self, Failure> {
        let yaml = |value: &Value| serde_saphyr::to_string(value).map_err(|error| Failure::Refused(error.to_string()));
        let moved = fake::rewritten(text, &setup.here).map_err(Failure::Refused)?;
        let definition = yaml(&moved)?;
        // What nobody could read would be of no use.
        let kept = Definition::parse("definition.yaml", &definition);
        let kept = kept.map_err(|refused| Failure::Refused(refused.to_string()))?;
        let all = fake::parameters(&setup.definition, &setup.parameters).map_err(Failure::Refused)?;
        let parameters: BTreeMap<_, _> =
            all.into_iter().filter(|(name, _)| kept.parameters.contains_key(name)).collect();
        let name = format!("fake-{}", setup.definition.name);
        let metadata = json!({"name": name, "namespace": "rollcall"});
        let mut api = json!({
            "definitionRef": {"name": name, "key": "definition.yaml"},
            "credentialsRef": {"name": name},
        });
        if let Some(api) = api.as_object_mut().filter(|_| !parameters.is_empty()) {
            api.insert("parameters".to_owned(), json!(parameters));
        }
        let objects = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"definition.yaml": definition}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": fake::credentials(&kept)}),
            json!({
                "apiVersion": "rollcall.dev/v1alpha1", "kind": "HRConnection", "metadata": metadata,
                "spec": {
                    "source": {"api": api},
                    "network": {"allowPrivateAddresses": true},
                    "schedule": {"every": "1m"},
                },
            }),
        ];
        let manifest = objects.iter().map(yaml).collect::<Result<Vec<_>, _>>()?.join("---\n");
        Ok(Self { name, definition, manifest })
    }

    fn write(&self, dir: &Path) -> Result<(), Failure> {
        fs::create_dir_all(dir).map_err(|error| Failure::file(dir, error))?;
        for (name, text) in [("definition.yaml", &self.definition), ("manifest.yaml", &self.manifest)] {
            let path = dir.join(name);
            fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
        }
        Ok(())
    }
}

/// The text that is shown at the start.
fn shown(setup: &Setup, read: &Reading, fake: &Fake, options: &Options) -> String {
    let Setup { definition, company, here, .. } = setup;
    let mut lines = vec![format!(
        "{} is simulated at {here}, with {} invented people. Stop it with Ctrl-C.",
        definition.title, company.people
    )];
    lines.extend(fake.unsaid().iter().map(|unsaid| format!("Limitation: {unsaid}.")));
    if matches!(company.scenario, Scenario::Leaver | Scenario::Rehire) {
        lines
            .push(format!("Leavers after the first response, or on the first day: {}.", Company::id(company.leaver())));
    }
    lines.extend(options.fault.iter().map(|fault| format!("Fault: {fault}.")));
    lines.push(String::new());
    lines.push("While it runs:".to_owned());
    for (order, says) in [
        ("day", "a day of the company passes"),
        ("leave/ID", "this person leaves"),
        ("fault/NAME", "a fault begins; fault/none ends all"),
    ] {
        lines.push(format!("  curl -X POST {here}/_fake/{order:<11} # {says}"));
    }
    lines.push(String::new());
    match &options.write {
        Some(dir) => {
            let dir = dir.display();
            lines.push("To read it:".to_owned());
            lines.push(format!("  rollcall preview -f {dir}/manifest.yaml   # without a cluster"));
            lines.push(format!("  kubectl apply -f {dir}/manifest.yaml    # the HRConnection {}", read.name));
        }
        None => lines.push("Use --write DIR to get a definition and a manifest that read it.".to_owned()),
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(name: &str) -> (Setup, String) {
        let text = hris::connector_text(name).unwrap().to_owned();
        let definition = hris::connector(name).unwrap();
        let company = Company { seed: 1, people: 40, scenario: Scenario::Leaver, first: "2026-03-02".parse().unwrap() };
        let here = "http://127.0.0.1:8080".to_owned();
        (Setup { definition, parameters: BTreeMap::new(), company, page: None, here }, text)
    }

    #[test]
    fn what_is_written_for_a_connector_reads_it() {
        for name in hris::connectors() {
            let (setup, text) = setup(name);
            let read = Reading::new(&setup, &text).unwrap();
            let objects: Vec<Value> = serde_saphyr::from_multiple(&read.manifest).unwrap();
            let kinds: Vec<_> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
            assert_eq!(kinds, ["ConfigMap", "Secret", "HRConnection"], "{name}");
            assert_eq!(objects[0]["data"]["definition.yaml"], json!(read.definition), "{name}");
            let keys: Vec<_> = objects[1]["stringData"].as_object().unwrap().keys().cloned().collect();
            let kept = Definition::parse(name, &read.definition).unwrap();
            assert_eq!(keys, kept.credentials.keys().cloned().collect::<Vec<_>>(), "{name}");
            assert!(kept.base_url.starts_with(&setup.here), "{name}");
        }
    }

    #[test]
    fn the_start_shows_how_to_read_it_and_what_happens() {
        let (setup, text) = setup("bamboohr");
        let read = Reading::new(&setup, &text).unwrap();
        let fake = Fake::new(&setup, Box::new(setup_day), Box::new(|_| {})).unwrap();
        let options = Options {
            like: Some("bamboohr".to_owned()),
            definition: None,
            people: 40,
            seed: 1,
            scenario: Scenario::Leaver,
            day_every: None,
            fault: vec!["html:3".to_owned()],
            parameter: Vec::new(),
            page: None,
            listen: "127.0.0.1:8080".parse().unwrap(),
            url: None,
            write: None,
            quiet: true,
        };
        insta::assert_snapshot!(shown(&setup, &read, &fake, &options));
    }

    fn setup_day() -> jiff::civil::Date {
        "2026-03-02".parse().unwrap()
    }
}
