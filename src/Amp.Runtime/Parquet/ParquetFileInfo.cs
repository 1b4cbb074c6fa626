namespace Amp.Parquet;

/// <summary>A finished Parquet file.</summary>
/// <param name="Size">Its size in bytes.</param>
/// <param name="RowCount">Number of its rows.</param>
/// <param name="RowGroupCount">Number of its row groups.</param>
/// <param name="Footer">
/// Page index and footer as a file of their own without data, as <c>footer_cache.footer</c> holds them: readers find
/// the page index in these bytes and everything else in the file.
/// </param>
internal sealed record ParquetFileInfo(long Size, long RowCount, int RowGroupCount, byte[] Footer);
