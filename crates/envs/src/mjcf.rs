//! MuJoCo's model files as trees, to be put together from parts.

use diagnostics::BadInput;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// An element of a model file. Comments and text are of no account there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) tag: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), attributes: vec![], children: vec![] }
    }

    /// Reads a model file.
    pub(crate) fn read(path: &Path) -> Result<Self, BadInput> {
        let text = fs::read_to_string(path).map_err(|error| {
            BadInput::new(format!("cannot read the model file {}: {error}", path.display()))
                .help("remove its cache folder, and the next run fetches it again")
        })?;
        Self::parse(&text).map_err(|error| {
            BadInput::new(format!("{} is no XML: {error}", path.display()))
                .help("remove its cache folder, and the next run fetches it again")
        })
    }

    fn parse(text: &str) -> Result<Self, roxmltree::Error> {
        fn convert(node: roxmltree::Node<'_, '_>) -> Element {
            let attribute = |a: roxmltree::Attribute<'_, '_>| (a.name().to_owned(), a.value().to_owned());
            Element {
                tag: node.tag_name().name().to_owned(),
                attributes: node.attributes().map(attribute).collect(),
                children: node.children().filter(roxmltree::Node::is_element).map(convert).collect(),
            }
        }
        Ok(convert(roxmltree::Document::parse(text)?.root_element()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.attributes.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.attributes.push((name.to_owned(), value.to_owned())),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// The first child with this tag.
    pub(crate) fn child(&mut self, tag: &str) -> Result<&mut Element, BadInput> {
        let parent = self.tag.clone();
        self.children.iter_mut().find(|child| child.tag == tag).ok_or_else(|| {
            BadInput::new(format!("a model file has no <{tag}> in <{parent}>"))
                .help("remove the cache folders of d4rl and ogbench, and the next run fetches them again")
        })
    }

    /// The element with this tag and name, anywhere below.
    pub(crate) fn named(&mut self, tag: &str, name: &str) -> Result<&mut Element, BadInput> {
        self.find(&|element| element.tag == tag && element.get("name") == Some(name)).ok_or_else(|| {
            BadInput::new(format!("a model file has no <{tag} name=\"{name}\">"))
                .help("remove the cache folders of d4rl and ogbench, and the next run fetches them again")
        })
    }

    fn find(&mut self, is_it: &dyn Fn(&Element) -> bool) -> Option<&mut Element> {
        if is_it(self) {
            return Some(self);
        }
        self.children.iter_mut().find_map(|child| child.find(is_it))
    }

    /// Calls `visit` for this element and for all below.
    pub(crate) fn walk(&mut self, visit: &mut impl FnMut(&mut Element)) {
        visit(self);
        self.children.iter_mut().for_each(|child| child.walk(visit));
    }

    /// The element as the text of a file.
    pub(crate) fn to_xml(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        let _ = write!(text, "<{}", self.tag);
        for (name, value) in &self.attributes {
            let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let _ = write!(text, " {name}=\"{value}\"");
        }
        if self.children.is_empty() {
            text.push_str("/>\n");
            return;
        }
        text.push_str(">\n");
        self.children.iter().for_each(|child| child.write(text));
        let _ = writeln!(text, "</{}>", self.tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let text =
            "<mujoco>\n<a x=\"1 &lt; 2 &amp; &quot;3&quot;\"/>\n<b>\n<c name=\"d\"/>\n</b>\n</mujoco>\n";
        let mut element = Element::parse(&format!("<!-- a comment -->{text}")).unwrap();
        assert_eq!(element.to_xml(), text);
        element.named("c", "d").unwrap().set("name", "e");
        assert_eq!(element.children[1].children[0].get("name"), Some("e"));
        let error = element.named("c", "d").unwrap_err().to_string();
        assert!(error.starts_with("a model file has no <c name=\"d\">"), "{error}");
        assert!(element.child("z").is_err());
    }

    #[test]
    fn a_file_that_is_no_xml_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ant.xml");
        assert!(Element::read(&path).unwrap_err().to_string().starts_with("cannot read the model file "));
        fs::write(&path, "<mujoco><a></mujoco>").unwrap();
        assert!(Element::read(&path).unwrap_err().to_string().contains("ant.xml is no XML: "));
    }
}
