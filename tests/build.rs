//! Tells the tests which languages' tools can't be had here, as `sample-drivers/languages` found: `cfg(skips = "go")`. Their tests are ignored.

fn main() {
    let languages = ["go", "c", "python", "javascript"];
    println!("cargo::rustc-check-cfg=cfg(skips, values(\"{}\"))", languages.join("\", \""));
    for language in languages {
        let file = format!("../target/drivers/bridge-{language}.skipped");
        println!("cargo::rerun-if-changed={file}");
        let reason = std::fs::read_to_string(&file).unwrap_or_default();
        if !reason.is_empty() {
            println!("cargo::rustc-cfg=skips=\"{language}\"");
            println!("cargo::warning=tests of drivers in {language} are ignored: {reason}");
        }
    }
}
