//! `report.html` in a browser: no error on its console, every link leads somewhere, and no sideways scrolling, wide or
//! narrow. Needs Chromium; without it the tests say that they skipped, and fail where `REPRISE_REQUIRE_BROWSER` is set.
#![expect(clippy::unwrap_used, reason = "a test says what fails by failing there")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The browser's name, if there is one.
fn browser() -> Option<String> {
    let named = std::env::var("REPRISE_BROWSER").ok();
    let known = ["chromium", "chromium-browser", "google-chrome", "chrome"].map(str::to_owned);
    let works =
        |name: &String| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = named.into_iter().chain(known).find(works);
    if found.is_none() {
        assert!(
            std::env::var_os("REPRISE_REQUIRE_BROWSER").is_none(),
            "REPRISE_REQUIRE_BROWSER is set, and there is no Chromium"
        );
        // Past the test harness, which would swallow it.
        std::io::stderr().write_all(b"SKIPPED: no Chromium to look at report.html with\n").unwrap();
    }
    found
}

/// Writes the report of profile `quick` with the records and the experiment of the checkout at `from`. Its folder.
fn report(from: &Path, figures: &Path) -> PathBuf {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["report", "--paper", "dai", "--profile", "quick", "--figures"])
        .arg(figures)
        .current_dir(from)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    figures.join("dai/quick")
}

/// Runs the browser on the page of `folder` in a window of `size`.
fn browse(browser: &str, folder: &Path, size: (u32, u32), more: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--enable-logging=stderr",
        ])
        .args(["--disable-background-networking", "--virtual-time-budget=5000", "--timeout=60000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--window-size={},{}", size.0, size.1))
        .args(more)
        .arg(format!("file://{}", folder.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the console of the page at `path` in a frame `width` wide says, and the lines that the page's checker writes.
///
/// A frame is as narrow as it is told, which a window of the browser is not.
fn look(browser: &str, folder: &Path, width: u32) -> Vec<String> {
    let checker = format!(
        r#"<!doctype html><body style="margin:0"><iframe id="f" src="report.html" style="border:0;width:{width}px;height:900px"></iframe>
<pre id="told"></pre>
<script>
const told = [];
document.getElementById("f").onload = () => {{
  const page = document.getElementById("f").contentDocument;
  told.push("width " + page.documentElement.scrollWidth + " of " + page.documentElement.clientWidth);
  for (const link of page.querySelectorAll("a[href]")) told.push("link " + link.getAttribute("href"));
  for (const element of page.querySelectorAll("[id]")) told.push("id " + element.id);
  for (const element of page.querySelectorAll("script, iframe, object, embed, img, link[rel=stylesheet]"))
    told.push("foreign " + element.outerHTML);
  told.push("title " + page.querySelector("h1").textContent);
  told.push("commands " + [...page.querySelectorAll(".again code")].map(c => c.textContent).join("\t"));
  told.push("end");
  document.getElementById("told").textContent = told.join("\n");
}};
</script>"#
    );
    let page = folder.join("checker.html");
    fs::write(&page, checker).unwrap();
    let output = browse(browser, &page, (1400, 1000), &["--allow-file-access-from-files", "--dump-dom"]);
    let log = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "the console says: {complaints:?}");
    let dom = String::from_utf8_lossy(&output.stdout);
    let told = dom.split("<pre id=\"told\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap();
    let told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let lines: Vec<String> = told.lines().map(str::to_owned).collect();
    assert_eq!(lines.last().map(String::as_str), Some("end"), "the page did not load: {dom}");
    lines
}

fn parts<'a>(lines: &'a [String], kind: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(kind)?.strip_prefix(' ')).collect()
}

/// Looks at the page in `folder`, wide and as a phone shows it; takes a picture of each. What it told.
fn check(browser: &str, folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for width in [1280, 390] {
        lines = look(browser, folder, width);
        let (scroll, client) = parts(&lines, "width")[0].split_once(" of ").unwrap();
        assert_eq!(client.parse::<u32>().unwrap(), width);
        assert!(scroll.parse::<u32>().unwrap() <= width, "at {width} the page is {scroll} wide");
        let foreign = parts(&lines, "foreign");
        assert!(foreign.is_empty(), "{foreign:?}");
        let ids = parts(&lines, "id");
        let links = parts(&lines, "link");
        assert!(links.len() > 10, "{links:?}");
        for link in links {
            let resolves = match link.strip_prefix('#') {
                Some(id) => ids.contains(&id),
                None => link.starts_with("https://") || folder.join(link).is_file(),
            };
            assert!(resolves, "{link} leads nowhere");
        }
    }
    for (name, size) in [("wide", (1280, 1000)), ("narrow", (390, 844))] {
        let picture = folder.join(format!("{name}.png"));
        let page = folder.join("report.html");
        browse(browser, &page, size, &[&format!("--screenshot={}", picture.display())]);
        let image = fs::read(&picture).unwrap();
        let width = u32::from_be_bytes(image[16..20].try_into().unwrap());
        assert_eq!(width, size.0, "{}", picture.display());
        assert!(image.len() > 10_000, "{} shows nothing", picture.display());
    }
    lines
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() && !name.to_str().unwrap().starts_with('.') {
            copy(&path, &to.join(name));
        } else if path.is_file() {
            fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[test]
fn the_page_of_the_recorded_study_is_sound() {
    let Some(browser) = browser() else { return };
    let figures = tempfile::tempdir().unwrap();
    let folder = report(root(), figures.path());
    let lines = check(&browser, &folder);
    assert_eq!(parts(&lines, "title"), ["Dynamic Action Interpolation: does it reproduce?"]);

    // Every run's command is one: what it would train is that run.
    let commands = parts(&lines, "commands")[0].split('\t').collect::<Vec<_>>();
    assert_eq!(commands.len(), 6, "{commands:?}");
    for command in commands {
        let words: Vec<&str> = command.strip_prefix("cargo xtask train ").unwrap().split(' ').collect();
        let value = |flag: &str| words[words.iter().position(|word| *word == flag).unwrap() + 1];
        let only = |key: &str| format!("{key}={}", value(&format!("--{key}")));
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["plan", "--paper", value("--paper"), "--profile", value("--profile"), "--json"])
            .args(["--only", &only("task"), "--only", &only("arm"), "--only", &only("seed")])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn hostile_names_stay_text_in_the_page() {
    let Some(browser) = browser() else { return };
    let checkout = tempfile::tempdir().unwrap();
    for folder in ["experiments", "results"] {
        copy(&root().join(folder), &checkout.path().join(folder));
    }
    let edit = |file: &str, changes: &[(&str, &str)]| {
        let path = checkout.path().join("experiments/dai").join(file);
        let text = fs::read_to_string(&path).unwrap();
        let edited = changes.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "{file} has no {from}");
            text.replace(from, to)
        });
        fs::write(path, edited).unwrap();
    };
    let name = "<script>alert(1)</script> \\\"&' \\u202Eturned ]]> --><img src=x onerror=alert(2)>";
    edit(
        "protocol.toml",
        &[
            ("title = \"Dynamic Action Interpolation\"", &format!("title = \"{name}\"")),
            ("label = \"TD3\"", &format!("label = \"{name}\"")),
            ("title = \"HalfCheetah\"", &format!("title = \"{name} \\u0007{}\"", "very".repeat(40))),
        ],
    );
    edit("claims.toml", &[("statement = \"At the end", &format!("statement = \"{name} At the end"))]);
    edit("reference.toml", &[("cite = \"github.com/raphaelsenn/TD3\"", &format!("cite = \"{name}\""))]);
    edit(
        "notes.md",
        &[("## What is claimed", "## What <script>alert(3)</script> is [x](javascript:alert(4))")],
    );
    let figures = tempfile::tempdir().unwrap();
    let lines = check(&browser, &report(checkout.path(), figures.path()));
    let title = parts(&lines, "title")[0];
    assert!(title.starts_with("<script>alert(1)</script> \"&' "), "{title}");
}
