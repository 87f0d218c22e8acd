//! The invented names: people, departments, places and companies.

/// First names, and how they are written in an address. Together with the last names: people nobody knows.
pub(super) const FIRST: [(&str, &str); 16] = [
    ("Ada", "ada"),
    ("Bo", "bo"),
    ("Chioma", "chioma"),
    ("Dai", "dai"),
    ("Eun", "eun"),
    ("Femi", "femi"),
    ("Goro", "goro"),
    ("Hana", "hana"),
    ("Ivo", "ivo"),
    ("Jörg", "joerg"),
    ("Kaia", "kaia"),
    ("Łucja", "lucja"),
    ("Mei Lin", "meilin"),
    ("Noor", "noor"),
    ("Oisín", "oisin"),
    ("Zoë", "zoe"),
];

pub(super) const LAST: [(&str, &str); 13] = [
    ("Example", "example"),
    ("Sample", "sample"),
    ("Placeholder", "placeholder"),
    ("Invented", "invented"),
    ("O’Fiction", "o'fiction"),
    ("Mock", "mock"),
    ("Dummy", "dummy"),
    ("von Beispiel", "vonbeispiel"),
    ("Muster", "muster"),
    ("Esempio", "esempio"),
    ("Exemple", "exemple"),
    ("Testcase", "testcase"),
    ("Made-Up", "made-up"),
];

/// Departments, each with its teams and titles.
pub(super) const DEPARTMENTS: [(&str, [&str; 2], [&str; 2]); 6] = [
    ("Engineering", ["Platform", "Product"], ["Engineer", "Senior Engineer"]),
    ("Sales", ["North", "South"], ["Account Manager", "Sales Engineer"]),
    ("Legal & Compliance", ["Contracts", "Privacy"], ["Counsel", "Paralegal"]),
    ("People", ["Recruiting", "Payroll"], ["Recruiter", "People Partner"]),
    ("Finance", ["Ledger", "Treasury"], ["Accountant", "Analyst"]),
    ("Support", ["First Line", "Second Line"], ["Support Agent", "Support Lead"]),
];

pub(super) const LOCATIONS: [&str; 5] = ["Berlin", "Lisbon", "Austin", "Kraków", "Singapore"];

pub(super) const LEGAL_ENTITIES: [&str; 3] = ["Example GmbH", "Example Inc.", "Example Lda"];

/// Every name there may be for what people are sorted by.
pub(crate) fn departments() -> impl Iterator<Item = &'static str> {
    DEPARTMENTS.iter().map(|(name, ..)| *name)
}

pub(crate) fn teams() -> impl Iterator<Item = &'static str> {
    DEPARTMENTS.iter().flat_map(|(_, teams, _)| *teams)
}

pub(crate) fn titles() -> impl Iterator<Item = &'static str> {
    DEPARTMENTS.iter().flat_map(|(.., titles)| *titles).chain(["Chief Executive"])
}

pub(crate) fn locations() -> impl Iterator<Item = &'static str> {
    LOCATIONS.into_iter()
}

pub(crate) fn legal_entities() -> impl Iterator<Item = &'static str> {
    LEGAL_ENTITIES.into_iter()
}

/// A name, and how it is written in an address.
pub(super) type Name = (&'static str, &'static str);

pub(super) fn names(seed: u64, number: usize) -> (Name, Name) {
    let turned = (seed % 1024) as usize;
    let first = FIRST.get((number + turned) % FIRST.len()).copied().unwrap_or(("Ada", "ada"));
    let last = LAST.get((number / FIRST.len() + turned) % LAST.len()).copied().unwrap_or(("Example", "example"));
    (first, last)
}

pub(super) fn pick(from: &[&'static str], by: u64) -> &'static str {
    from.get(by as usize % from.len().max(1)).copied().unwrap_or_default()
}
