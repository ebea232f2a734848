//! The page to try the server with, at `/`: plain HTML, style and script, as they lie in the folder `page`.

use bytes::Bytes;

use crate::web::{WebFile, kind};

const INDEX: &str = include_str!("page/index.html");

/// What the page loads.
const FILES: &[(&str, &str)] = &[
    ("address.js", include_str!("page/address.js")),
    ("code.js", include_str!("page/code.js")),
    ("connection.js", include_str!("page/connection.js")),
    ("data.js", include_str!("page/data.js")),
    ("log.js", include_str!("page/log.js")),
    ("page.css", include_str!("page/page.css")),
    ("page.js", include_str!("page/page.js")),
];

/// What lies at this path.
pub(crate) fn find(path: &str) -> Option<WebFile> {
    let (name, content) = match path.strip_prefix("/page/") {
        Some(name) => *FILES.iter().find(|(file, _)| *file == name)?,
        None if path == "/" => ("index.html", INDEX),
        None => return None,
    };
    Some(WebFile {
        kind: kind(name)?,
        content: Bytes::from_static(content.as_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small() {
        let sizes = FILES.iter().map(|(_, content)| content.len());
        let size = INDEX.len() + sizes.sum::<usize>();
        assert!(size < 40_000, "the page has {size} bytes");
    }

    #[test]
    fn the_page_lists_each_path() {
        for (path, what) in crate::PATHS {
            assert!(
                INDEX.contains(&format!("<dt>{path}</dt><dd>{what}</dd>")),
                "{path}"
            );
        }
    }

    #[test]
    fn all_that_the_page_asks_for_is_there() {
        let mut asked = 0;
        for content in [INDEX]
            .into_iter()
            .chain(FILES.iter().map(|(_, content)| *content))
        {
            let imported = content.split("from \"./").skip(1);
            let loaded = content.split("=\"/page/").skip(1);
            for rest in imported.chain(loaded) {
                let name = rest.split('"').next().unwrap();
                assert!(find(&format!("/page/{name}")).is_some(), "{name}");
                asked += 1;
            }
        }
        assert!(asked >= FILES.len());
    }
}
