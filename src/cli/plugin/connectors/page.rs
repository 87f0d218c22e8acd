//! One page a connector, and their list, written from the definitions: `docs/connectors/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::super::Failure;
use super::super::terminal::say;
use crate::api::names::ROTATES;
use domain::account::Fact;
use domain::capabilities::Claim;
use domain::employee::Field;
use hris::{self, Definition};

/// Options of `rollcall connectors docs`.
#[derive(Debug, Args)]
pub struct Docs {
    /// The folder to write the pages into
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Writes every page.
///
/// # Errors
/// When a file cannot be written.
pub fn write(options: &Docs) -> Result<(), Failure> {
    fs::create_dir_all(&options.dir).map_err(|error| Failure::file(&options.dir, error))?;
    let pages = pages().map_err(Failure::Refused)?;
    for (name, text) in &pages {
        let path = options.dir.join(name);
        fs::write(&path, text).map_err(|error| Failure::file(&path, error))?;
    }
    say(&format!("{} pages in {}", pages.len(), options.dir.display()));
    Ok(())
}

/// Every page by the name of its file.
///
/// # Errors
/// When a definition of the catalogue cannot be used.
pub fn pages() -> Result<BTreeMap<String, String>, String> {
    let all = hris::connectors().into_iter().map(hris::connector).collect::<Result<Vec<_>, _>>()?;
    let mut pages: BTreeMap<_, _> = all.iter().map(|one| (format!("{}.md", one.name), page(one))).collect();
    pages.insert("README.md".to_owned(), index(&all));
    Ok(pages)
}

const GENERATED: &str = "<!-- Written by `rollcall connectors docs` from connectors/; do not edit. -->\n";

fn index(all: &[Definition]) -> String {
    let mut text = format!(
        "{GENERATED}# HR systems\n\nRollcall has connectors for these {} HR systems. [Write a connector](writing.md) for another one, or see \
         [systems without a connector, and alternatives](not-covered.md).\n\n\
         Evidence: `documented`: the vendor's documentation covers all of it. `connector-seen`: inferred from third-party code \
         that is in use. `partial`: something that matters is unknown, and left out. Run live: the last day on which somebody [reported](reporting.md) \
         that they read a real system with it. `?`: unknown; `–`: no.\n\n\
         | system | connector | evidence | run live | first day | last day | leave | leavers | future hires | manager |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        all.len()
    );
    for one in all {
        let field = |field| if one.offers(field) { "yes" } else { "–" };
        let declared = one.declared();
        let [leave, leavers, future] = [declared.leave, declared.leavers, declared.future_hires].map(short);
        text.push_str(&format!(
            "| [{title}]({name}.md) | `{name}` | {evidence} | {run_live} | {start} | {end} | {leave} | {leavers} | {future} | {manager} |\n",
            title = one.title,
            name = one.name,
            evidence = one.evidence.as_str(),
            run_live = one.last_live_run().map_or_else(|| "–".to_owned(), |run| run.on.to_string()),
            start = field(Field::HireDate),
            end = field(Field::TerminationDate),
            manager = field(Field::Manager),
        ));
    }
    text.push_str(TROUBLE);
    text
}

const TROUBLE: &str = "
## Troubleshooting

| the connection reports | cause |
|---|---|
| `Ready=False/SecretMissing` | the Secret does not exist in this namespace |
| `Stalled=True`, `the Secret needs the key …` | the key has another name |
| `Unauthorised` | the credential is wrong, was revoked, or has expired |
| `Forbidden` | the credential may not use the API, or not for all of it |
| `WrongColumns`, with a field | that field is empty for everybody; usually the credential may not see it |
| `Missing` | a parameter is wrong, so there is nothing at that address |
| `Incomplete`, `Truncated` | the list changed while it was read, or a page was lost; it is read again on schedule |
| `Throttled` | the system requires a longer wait than the poll has time for: poll less often, or increase `timeout` |
| `AddressRefused` | it redirects, or has a private address: see `network.allowPrivateAddresses` |
";

const fn short(claim: Claim) -> &'static str {
    match claim {
        Claim::Yes => "yes",
        Claim::No => "–",
        Claim::Unknown => "?",
    }
}

fn page(one: &Definition) -> String {
    let evidence = one.evidence.as_str();
    let mut text = format!("{GENERATED}# {}\n\nConnector `{}`, {evidence}. {}\n", one.title, one.name, run_live(one));
    let mut part = |title: &str, body: String| {
        if !body.trim().is_empty() {
            text.push_str(&format!("\n## {title}\n\n{}\n", body.trim_end()));
        }
    };
    part("Prerequisites", one.setup.clone());
    part("Connection", connection(one));
    part("Fields", says(one));
    part("Accounts", accounts(one));
    part("Status words and kinds of employment", words(one));
    part("Limitations", limitations(&one.cannot));
    part("Rate limit", pace(one));
    part("Requests other than GET", list(&one.searches()));
    part("Sources", list(&one.sources));
    text
}

/// Who ran it against a real system.
fn run_live(one: &Definition) -> String {
    match one.last_live_run() {
        None => "Nobody has [reported](reporting.md) yet that they read a real system with it.".to_owned(),
        Some(run) => format!("Run live on {} by [{}]({}).", run.on, cell(&run.by), run.report),
    }
}

/// What a connector cannot do; each line goes on after "cannot".
fn limitations(lines: &[String]) -> String {
    if lines.is_empty() { String::new() } else { format!("This connector cannot\n\n{}", list(lines)) }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

/// The manifests, and what their values are.
fn connection(one: &Definition) -> String {
    let name = &one.name;
    let given = |rest: &str| one.parameters.keys().map(|key| format!("{key}: …")).collect::<Vec<_>>().join(rest);
    let parameters =
        if one.parameters.is_empty() { String::new() } else { format!("\n      parameters: {{{}}}", given(", ")) };
    let keys: String = one.credentials.keys().map(|key| format!(" --from-literal {key}=…")).collect();
    let mut text = format!(
        "```sh\nkubectl -n rollcall create secret generic {name}{keys}\n```\n\n```yaml\n\
         apiVersion: rollcall.dev/v1alpha1\nkind: HRConnection\nmetadata: {{name: {name}, namespace: rollcall}}\nspec:\n  \
         source:\n    api:\n      connector: {name}{parameters}\n      credentialsRef: {{name: {name}}}\n```\n\n\
         First read it from your own machine with `rollcall preview`, which shows who the credential can see.\n"
    );
    let mut table = |head: &str, rows: Vec<(String, String)>| {
        if !rows.is_empty() {
            text.push_str(&format!("\n| {head} | description |\n|---|---|\n"));
            rows.iter().for_each(|(name, says)| text.push_str(&format!("| `{name}` | {} |\n", cell(says))));
        }
    };
    let usually = |parameter: &hris::Parameter| match &parameter.default {
        Some(default) => format!("{} (usually `{default}`)", parameter.says),
        None => parameter.says.clone(),
    };
    table("parameter", one.parameters.iter().map(|(name, parameter)| (name.clone(), usually(parameter))).collect());
    table("key of the Secret", one.credentials.iter().map(|(name, says)| (name.clone(), says.clone())).collect());
    text.push_str(&rotating(one));
    text
}

/// What a Secret needs whose token is replaced with each use.
fn rotating(one: &Definition) -> String {
    let Some(key) = one.rotates() else { return String::new() };
    format!(
        "\nThe system replaces `{key}` with each use, so sync has to keep the new one in the Secret: without this annotation it is not used at \
         all ([why](writing.md#rotating-refresh-tokens)). Keep the Secret out of pipelines that would restore an older one.\n\n\
         ```sh\nkubectl -n rollcall annotate secret {} {ROTATES}={key}\n```\n",
        one.name
    )
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn says(one: &Definition) -> String {
    let declared = one.declared();
    let field = |field| if one.offers(field) { "yes" } else { "no" };
    let fields: Vec<_> = one.fields_offered().into_iter().map(|field| format!("`{field}`")).collect();
    let required: Vec<_> = one.required.iter().map(|slot| format!("`{}`", slot.name())).collect();
    let mut text = format!("{}.\n", fields.join(", "));
    if !required.is_empty() {
        text.push_str(&format!(
            "\nA response in which nobody has {} is not trusted; usually the credential may not see the field.\n",
            required.join(", or nobody has ")
        ));
    }
    text.push_str("\n| reports | |\n|---|---|\n");
    for (what, answer) in [
        ("last days", field(Field::TerminationDate)),
        ("managers", field(Field::Manager)),
        ("people on leave", declared.leave.as_str()),
        ("people who have left", declared.leavers.as_str()),
        ("people who start later", declared.future_hires.as_str()),
        ("deleted records", declared.deletion.as_str()),
        ("photos (never read)", declared.photo.as_str()),
        ("age of the data", declared.data_age.as_deref().unwrap_or("unknown")),
    ] {
        text.push_str(&format!("| {what} | {} |\n", cell(answer)));
    }
    text
}

/// What is told of accounts besides whether they are on.
fn accounts(one: &Definition) -> String {
    if one.account.is_empty() {
        return String::new();
    }
    let mut text = "Read only where a policy keeps it ([identity.md](../identity.md)).\n\n| fact | read | source |\n|---|---|---|\n".to_owned();
    for fact in Fact::ALL {
        let Some(said) = one.account.get(&fact) else { continue };
        let read = match (&said.not_given, &said.needs) {
            (Some(why), _) => format!("no: {why}"),
            (None, Some(needs)) => format!("yes; needs {needs}"),
            (None, None) => "yes".to_owned(),
        };
        text.push_str(&format!("| `{}` | {} | {} |\n", fact.as_str(), cell(&read), said.source));
    }
    text
}

fn words(one: &Definition) -> String {
    let mut text = String::new();
    if !one.statuses.is_empty() {
        text.push_str("| status | means |\n|---|---|\n");
        for (word, rule) in &one.statuses {
            let later =
                rule.when_starts_later.map(|later| format!("; {} for a person who starts later", later.as_str()));
            text.push_str(&format!("| `{word}` | {}{} |\n", rule.means.as_str(), later.unwrap_or_default()));
        }
        text.push_str(
            "\nOther words are unknown: nothing happens to the person, and the word is counted on the connection. Map your own \
             words, or other meanings, in `statuses` next to `connector`.\n",
        );
    }
    if !one.rules.is_empty() {
        let inputs: BTreeMap<&String, ()> =
            one.rules.iter().flat_map(|rule| rule.when.keys()).map(|name| (name, ())).collect();
        let inputs: Vec<_> = inputs.into_keys().map(|name| format!("`{name}`")).collect();
        text.push_str(&format!(
            "The status is derived by rules from {}. Words that no rule knows are counted on the connection: map them in \
             `statuses` next to `connector`, as they are shown there.\n",
            inputs.join(", ")
        ));
    }
    if !one.end_date_when.is_empty() {
        text.push_str("\nThe last day is read only if another field shows that it is an exit.\n");
    }
    if !one.types.is_empty() {
        text.push_str("\n| kind of employment | means |\n|---|---|\n");
        one.types.iter().for_each(|(word, kind)| text.push_str(&format!("| `{word}` | {} |\n", kind.as_str())));
    }
    if !one.urgent_reasons.is_empty() {
        let reasons: Vec<_> = one.urgent_reasons.iter().map(|word| format!("`{word}`")).collect();
        text.push_str(&format!(
            "\nReasons that mean \"at once\": {}. The reason itself is never kept.\n",
            reasons.join(", ")
        ));
    }
    text
}

fn pace(one: &Definition) -> String {
    one.throttling.rate.map_or_else(String::new, |rate| {
        format!(
            "At most {} requests in {} s. Rollcall waits longer if the system requires it.\n",
            rate.requests, rate.seconds
        )
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_page_says_what_a_secret_needs_whose_token_is_replaced_with_each_use() {
        let all = hris::connectors().into_iter().map(|name| hris::connector(name).unwrap());
        let (rotating, others): (Vec<_>, Vec<_>) = all.partition(|one| one.rotates().is_some());
        assert!(rotating.len() > 2);
        for one in rotating {
            let command = format!("annotate secret {} {ROTATES}={}\n", one.name, one.rotates().unwrap());
            assert!(page(&one).contains(&command), "{}", one.name);
        }
        assert!(others.iter().all(|one| !page(one).contains("annotate secret")));
    }

    #[test]
    fn the_pages_in_the_repository_are_those_of_the_definitions() {
        let folder = Path::new("docs/connectors");
        let pages = pages().unwrap();
        let old: Vec<_> = pages
            .iter()
            .filter(|(name, text)| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text))
            .map(|(name, _)| name.as_str())
            .collect();
        assert!(old.is_empty(), "out of date, run `make docs`: {}", old.join(", "));
        for file in fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let known =
                pages.contains_key(&name) || ["writing.md", "not-covered.md", "reporting.md"].contains(&name.as_str());
            assert!(known, "docs/connectors/{name} belongs to no connector: remove it");
        }
    }
}
