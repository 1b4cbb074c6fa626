namespace Amp.Parquet;

/// <summary>A row of a table, or a struct in one.</summary>
/// <param name="Table">The table, as far as the file says; null for a struct.</param>
/// <param name="Columns">Names of the columns, in their order.</param>
/// <param name="Values">
/// A value each: <see cref="bool"/>, <see cref="int"/>, <see cref="uint"/>, <see cref="ulong"/>, <see cref="DateTimeOffset"/> (UTC),
/// <see cref="System.Numerics.BigInteger"/>, text, bytes as <c>0x</c> and lower-case hex digits, an array (lists), a
/// <see cref="TableRow"/> (structs), or null.
/// </param>
public sealed record TableRow(string? Table, IReadOnlyList<string> Columns, IReadOnlyList<object?> Values);
