using System.Globalization;
using System.Text;
using System.Text.Json;
using Amp.Support;

namespace Amp.Configuration;

public sealed class TomlDocumentTests
{
    private static readonly string Cases = Path.Combine(TestTools.Fixtures, "toml-test");

    public static TheoryData<string> Valid => Named("valid/");

    public static TheoryData<string> Invalid => Named("invalid/");

    [Theory]
    [MemberData(nameof(Valid))]
    public void Parse_WhenCaseIsValid_YieldsTheValuesOfItsJson(string name)
    {
        var table = TomlDocument.Parse(File.ReadAllBytes(Path.Combine(Cases, name)), name);

        using var expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Cases, Path.ChangeExtension(name, ".json"))));
        AssertEqual(expected.RootElement, table, "$");
    }

    [Theory]
    [MemberData(nameof(Invalid))]
    public void Parse_WhenCaseIsInvalid_RefusesItWithPlaceAndExpectation(string name)
    {
        var error = Assert.Throws<AmpException>(() => TomlDocument.Parse(File.ReadAllBytes(Path.Combine(Cases, name)), name));

        Assert.Equal("InvalidToml", error.ErrorCode);
        Assert.Matches("at line [0-9]+, column [0-9]+: expected ", error.Message);
        Assert.Equal(name, error.Target);
    }

    [Fact]
    public void Parse_WhenListOfCasesIsRead_FindsHundredsOfBoth()
    {
        Assert.True(Valid.Count > 200, $"{Valid.Count} valid cases");
        Assert.True(Invalid.Count > 350, $"{Invalid.Count} invalid cases");
    }

    [Theory]
    [InlineData("a = 1\nb = [1, 2\n", 3, 1, "expected ',' or ']' in the array, found the end of the file")]
    [InlineData("a = 1\nbc = 1 2", 2, 8, "expected the end of the line, found '2'")]
    [InlineData("é😀 = 1", 1, 1, "expected a key")]
    [InlineData("\"é😀\" : 1", 1, 6, "expected '=' after the key, found ':'")]
    [InlineData("a = 1\r\n[t]\r\na = True", 3, 5, "expected true or false in lower case")]
    [InlineData("a = 9223372036854775808", 1, 5, "expected a number (64 bits")]
    [InlineData("a = \"\"\"x\ny", 1, 5, "expected a closing \"\"\"")]
    [InlineData("a.b = 1\n[a]\n", 2, 1, "expected a new table, but 'a' is defined in line 1 already")]
    [InlineData("a = {b = 1}\na.c = 1", 2, 1, "'a' is a complete inline table since line 1")]
    [InlineData("[[a]]\n[a]", 2, 1, "defined in line 1 already")]
    [InlineData("a = 'x\u0001'", 1, 7, "control character U+0001")]
    public void Parse_WhenInvalid_NamesLineColumnAndExpectation(string text, int line, int column, string expectation)
    {
        var error = Assert.Throws<AmpException>(() => Parse(text));

        Assert.Contains($"test.toml is not valid TOML at line {line}, column {column}: ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expectation, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sasl_password = hunter2secret")]
    [InlineData("sasl_password = 123hunter2secret")]
    [InlineData("sasl_password = \"hunter2secret")]
    [InlineData("sasl_password = 'hunter2secret\\' x")]
    public void Parse_WhenAnUnquotedSecretIsRefused_DoesNotRepeatIt(string text)
    {
        var error = Assert.Throws<AmpException>(() => Parse(text));

        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_WhenValuesSpreadOverLines_KeepsLineOfEachKeyAndValue()
    {
        var table = Parse("# one\na = 1\n\nb = [\n  2,\n  3 ]\n[c.d]\ne = '''\nx'''\nf = 4\n[[g]]\n[[g]]\nh.i = 5\n");

        Assert.Equal(2, Entry(table, "a").KeyLine);
        Assert.Equal([5, 6], ((TomlArray)Entry(table, "b").Value).Items.Select(item => item.Line).ToArray());
        var d = (TomlTable)Entry((TomlTable)Entry(table, "c").Value, "d").Value;
        Assert.Equal((7, 8, 10), (d.Line, Entry(d, "e").Value.Line, Entry(d, "f").KeyLine));
        var second = (TomlTable)((TomlArray)Entry(table, "g").Value).Items[1];
        Assert.Equal((12, 13), (second.Line, Entry(second, "h").KeyLine));
    }

    [Fact]
    public void Parse_WhenNestedWithoutEnd_RefusesInsteadOfOverflowingTheStack()
    {
        var error = Assert.Throws<AmpException>(() => Parse("a = " + new string('[', 100_000)));

        Assert.Contains("at most 200", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_WhenDocumentsAreDamagedAtRandom_EitherReadsThemOrRefusesThem()
    {
        const string Telling = "[]{}.=,\"'\\#\n 0a_-:T+";
        var random = new Random(20260101);
        var documents = ((IEnumerable<object[]>)Valid).Select(row => File.ReadAllBytes(Path.Combine(Cases, (string)row[0]))).Where(bytes => bytes.Length > 0).ToArray();
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = documents[random.Next(documents.Length)].ToArray();
            for (var i = random.Next(1, 4); i > 0; i--)
            {
                bytes[random.Next(bytes.Length)] = random.Next(3) == 0 ? (byte)random.Next(256) : (byte)Telling[random.Next(Telling.Length)];
            }

            var length = random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length;
            try
            {
                TomlDocument.Parse(bytes.AsSpan(0, length), "damaged");
            }
            catch (AmpException error)
            {
                Assert.Equal("InvalidToml", error.ErrorCode);
            }
        }
    }

    private static TomlTable Parse(string text) => TomlDocument.Parse(Encoding.UTF8.GetBytes(text), "test.toml");

    private static TomlEntry Entry(TomlTable table, string key) =>
        table.TryGet(key, out var entry) ? entry : throw new Xunit.Sdk.XunitException($"no key {key}");

    private static TheoryData<string> Named(string prefix)
    {
        var data = new TheoryData<string>();
        foreach (var line in File.ReadLines(Path.Combine(Cases, "files-toml-1.0.0")))
        {
            if (line.StartsWith(prefix, StringComparison.Ordinal) && line.EndsWith(".toml", StringComparison.Ordinal))
            {
                data.Add(line);
            }
        }

        return data;
    }

    private static void AssertEqual(JsonElement expected, TomlValue actual, string path)
    {
        if (expected.ValueKind == JsonValueKind.Array)
        {
            var items = Assert.IsType<TomlArray>(actual).Items;
            Assert.True(expected.GetArrayLength() == items.Count, path);
            for (var i = 0; i < items.Count; i++)
            {
                AssertEqual(expected[i], items[i], $"{path}[{i}]");
            }
        }
        else if (actual is TomlTable table)
        {
            Assert.Equal(expected.EnumerateObject().Select(p => p.Name).Order(), table.Entries.Select(e => e.Key).Order());
            foreach (var entry in table.Entries)
            {
                AssertEqual(expected.GetProperty(entry.Key), entry.Value, $"{path}.{entry.Key}");
            }
        }
        else
        {
            AssertScalar(expected.GetProperty("type").GetString()!, expected.GetProperty("value").GetString()!, actual, path);
        }
    }

    private static void AssertScalar(string type, string value, TomlValue actual, string path)
    {
        var invariant = CultureInfo.InvariantCulture;
        switch (type)
        {
            case "string":
                Assert.Equal(value, Assert.IsType<TomlString>(actual).Value);
                break;
            case "integer":
                Assert.Equal(long.Parse(value, invariant), Assert.IsType<TomlInteger>(actual).Value);
                break;
            case "float":
                var number = value.TrimStart('+') switch
                {
                    "inf" => double.PositiveInfinity,
                    "-inf" => double.NegativeInfinity,
                    "nan" or "-nan" => double.NaN,
                    var digits => double.Parse(digits, invariant),
                };
                Assert.Equal(number, Assert.IsType<TomlFloat>(actual).Value);
                break;
            case "bool":
                Assert.Equal(bool.Parse(value), Assert.IsType<TomlBoolean>(actual).Value);
                break;
            case "datetime":
                var moment = Assert.IsType<TomlDateTime>(actual);
                Assert.Equal(TomlDateTimeKind.OffsetDateTime, moment.Kind);
                Assert.Equal(DateTimeOffset.Parse(value, invariant), new DateTimeOffset(moment.Clock, moment.Offset));
                break;
            case "datetime-local" or "date-local":
                var local = Assert.IsType<TomlDateTime>(actual);
                Assert.Equal(type == "date-local" ? TomlDateTimeKind.LocalDate : TomlDateTimeKind.LocalDateTime, local.Kind);
                Assert.Equal(DateTime.Parse(value, invariant), local.Clock);
                break;
            case "time-local":
                var time = Assert.IsType<TomlDateTime>(actual);
                Assert.Equal(TomlDateTimeKind.LocalTime, time.Kind);
                Assert.Equal(TimeSpan.Parse(value, invariant), time.Clock.TimeOfDay);
                break;
            default:
                Assert.Fail($"{path} has the unknown type {type}");
                break;
        }
    }
}
