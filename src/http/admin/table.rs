//! Tables that become cards on a narrow screen, where each cell carries the name of its column.

/// The heading of a column, and what the cell is called on a card; the first cell needs no name there.
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str);

/// A row; the cells are HTML already. One with nothing in it is left out of a card.
pub(super) fn row(columns: &[Column], cells: &[String]) -> String {
    let cells: String = { columns.iter().zip(cells) }
        .map(|(column, cell)| match (column.1, cell.as_str()) {
            ("", cell) | (_, cell @ "") => format!("<td>{cell}</td>"),
            (name, cell) => format!("<td data-label=\"{name}\">{cell}</td>"),
        })
        .collect();
    format!("<tr>{cells}</tr>\n")
}

/// The table, or what is said if there are no rows.
pub(super) fn or(none: &str, columns: &[Column], rows: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let heads: String = columns.iter().map(|column| format!("<th scope=\"col\">{}</th>", column.0)).collect();
    format!("<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}
