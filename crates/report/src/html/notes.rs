//! A paper's notes, Markdown, as part of the page.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// Markup of `markdown`: its title is left out, its headings are a level lower, HTML in it is text, and so is a link or a
/// picture that leads anywhere but to the web.
pub(super) fn html(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let (mut in_title, mut kept) = (false, Vec::new());
    let mut linked = Vec::new();
    for event in events {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => in_title = true,
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => in_title = false,
            _ if in_title => {}
            Event::Start(Tag::Heading { level, .. }) => kept.push(Event::Start(heading(level))),
            Event::End(TagEnd::Heading(level)) => kept.push(Event::End(TagEnd::Heading(lower(level)))),
            Event::Start(Tag::Table(columns)) => {
                kept.push(Event::Html(CowStr::Borrowed("<div class=\"scroll\">")));
                kept.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                kept.push(Event::End(TagEnd::Table));
                kept.push(Event::Html(CowStr::Borrowed("</div>")));
            }
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                linked.push(dest_url.starts_with("https://") || dest_url.starts_with("http://"));
                kept.extend(linked.last().copied().unwrap_or_default().then_some(event));
            }
            Event::End(TagEnd::Link) => kept.extend(linked.pop().unwrap_or_default().then_some(event)),
            // What an image would say instead stays as text.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Html(text) | Event::InlineHtml(text) => kept.push(Event::Text(text)),
            Event::Start(Tag::HtmlBlock) => kept.push(Event::Start(Tag::Paragraph)),
            Event::End(TagEnd::HtmlBlock) => kept.push(Event::End(TagEnd::Paragraph)),
            event => kept.push(event),
        }
    }
    let mut text = String::new();
    push_html(&mut text, kept.into_iter());
    text
}

fn heading(level: HeadingLevel) -> Tag<'static> {
    Tag::Heading { level: lower(level), id: None, classes: Vec::new(), attrs: Vec::new() }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 | HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        _ => HeadingLevel::H5,
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn markup_of_the_notes_is_text() {
        let check = |markdown, expect: &str| assert_eq!(html(markdown), expect);
        check("# Title\n\ntext", "<p>text</p>\n");
        check("## Part\n", "<h3>Part</h3>\n");
        check("a <b>c</b>", "<p>a &lt;b&gt;c&lt;/b&gt;</p>\n");
        check("<script>x</script>\n", "<p>&lt;script&gt;x&lt;/script&gt;\n</p>\n");
        check("[a](javascript:b) ![c](d.png)", "<p>a c</p>\n");
        check("[a](https://b)", "<p><a href=\"https://b\">a</a></p>\n");
        assert!(html("| a |\n| - |\n| b |\n").starts_with("<div class=\"scroll\"><table>"));
    }
}
