//! One row group, plain columns.

use super::Evaluation;
use anyhow::Result;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::io::Write;
use std::sync::Arc;

const SCHEMA: &str = "message evaluations {
    REQUIRED BYTE_ARRAY algorithm (UTF8);
    REQUIRED BYTE_ARRAY task (UTF8);
    REQUIRED INT64 seed;
    REQUIRED INT64 step;
    REQUIRED DOUBLE score;
}";

pub(super) fn write(evaluations: &[Evaluation]) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by("reprise".to_owned())
        .build();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    let words = |of: fn(&Evaluation) -> &str| -> Vec<ByteArray> {
        evaluations.iter().map(|evaluation| of(evaluation).into()).collect()
    };
    let whole = |of: fn(&Evaluation) -> u64| -> Result<Vec<i64>> {
        evaluations.iter().map(|evaluation| Ok(of(evaluation).try_into()?)).collect()
    };
    column::<ByteArrayType>(&mut group, &words(|evaluation| &evaluation.algorithm))?;
    column::<ByteArrayType>(&mut group, &words(|evaluation| &evaluation.task))?;
    column::<Int64Type>(&mut group, &whole(|evaluation| evaluation.seed)?)?;
    column::<Int64Type>(&mut group, &whole(|evaluation| evaluation.step)?)?;
    let scores: Vec<f64> = evaluations.iter().map(|evaluation| evaluation.score).collect();
    column::<DoubleType>(&mut group, &scores)?;
    group.close()?;
    Ok(writer.into_inner()?)
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    values: &[T::T],
) -> Result<()> {
    let mut column = group.next_column()?.expect("the schema has as many columns as are written");
    column.typed::<T>().write_batch(values, None, None)?;
    Ok(column.close()?)
}
