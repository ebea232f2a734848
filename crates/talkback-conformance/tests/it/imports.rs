//! No two files of a crate import each other, directly or round in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A file, by the path of its module.
type Module = Vec<String>;

/// The files of a folder with their code, comments and tests left out.
fn read(folder: &Path, module: &[String], files: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let mut module = module.to_vec();
        if !["lib", "main"].contains(&name) {
            module.push(name.to_owned());
        }
        if path.is_dir() {
            read(&path, &module, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]\n").next().unwrap();
            let code = code.split("#[cfg(all(test").next().unwrap();
            let lines = code.lines().filter_map(|line| line.split("//").next());
            files.entry(module).or_default().extend(lines);
        }
    }
}

/// The paths in a `use` tree or in code: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<Module> {
    let is_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let (mut found, mut outer, mut rest) = (Vec::new(), vec![String::new()], code);
    while let Some(at) = rest.find(|letter| !is_path(letter)) {
        let path = format!(
            "{}{}",
            outer[outer.len() - 1],
            rest[..at].trim_start_matches(':')
        );
        match rest.as_bytes()[at] {
            b'{' => outer.push(if path.ends_with("::") {
                path
            } else {
                String::new()
            }),
            end => {
                if at > 0 {
                    found.push(path.split("::").map(str::to_owned).collect());
                }
                if end == b'}' && outer.len() > 1 {
                    outer.pop();
                }
            }
        }
        rest = &rest[at + rest[at..].chars().next().map_or(1, char::len_utf8)..];
    }
    found
}

/// The file that a path in this one leads to, if it is one of the crate's.
fn target(module: &Module, path: &[String], files: &BTreeMap<Module, String>) -> Option<Module> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path[0].as_str() {
        "crate" => (&module[..0], &path[1..]),
        "self" => (&module[..], &path[1..]),
        "super" => (
            &module[..module.len().checked_sub(supers)?],
            &path[supers..],
        ),
        _ => (&module[..], path),
    };
    let least = usize::from(rest.len() == path.len());
    let mut ends = (least..=rest.len())
        .rev()
        .map(|end| [base, &rest[..end]].concat());
    ends.find(|end| files.contains_key(end))
}

#[test]
fn no_two_files_import_each_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = std::fs::read_dir(crates).unwrap();
    let folders = folders.map(|folder| folder.unwrap().path());
    let others = ["xtask", "fuzz", "fuzz/differential", "bench/codec"];
    let others = others.map(|folder| crates.with_file_name(folder));
    for folder in folders.chain(others) {
        let mut files = BTreeMap::new();
        read(&folder.join("src"), &[], &mut files);
        assert!(files.contains_key(&Vec::new()), "{folder:?} has files");
        let mut reached: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, code) in &files {
            let paths = paths(code).into_iter().filter(|path| path.len() > 1);
            let targets = paths.filter_map(|path| target(module, &path, &files));
            reached.insert(
                module.clone(),
                targets.filter(|target| target != module).collect(),
            );
        }
        for middle in files.keys() {
            let further = reached[middle].clone();
            for targets in reached
                .values_mut()
                .filter(|targets| targets.contains(middle))
            {
                targets.extend(further.iter().cloned());
            }
        }
        let in_circles = reached
            .iter()
            .filter(|(module, targets)| targets.contains(*module));
        let in_circles: Vec<_> = in_circles.map(|(module, _)| module.join("::")).collect();
        assert!(in_circles.is_empty(), "{folder:?}: {in_circles:?}");
    }
}
