using System.Reflection;
using System.Runtime.InteropServices;

namespace Amp.HelpCompiler;

/// <summary>A parameter as one parameter set takes it.</summary>
internal sealed record CmdletParameter(
    string Name, string TypeName, bool IsSwitch, bool IsMandatory, int? Position, string PipelineInput, bool TakesWildcards,
    IReadOnlyList<string> Aliases, IReadOnlyList<string> Values);

/// <summary>A cmdlet: its parameters, once each and by parameter set.</summary>
internal sealed record Cmdlet(
    string Verb, string Noun, IReadOnlyList<CmdletParameter> Parameters, IReadOnlyList<IReadOnlyList<CmdletParameter>> ParameterSets,
    IReadOnlyList<string> OutputTypes, bool SupportsShouldProcess)
{
    public string Name => $"{Verb}-{Noun}";

    /// <summary>Types that a parameter takes from the pipeline by value.</summary>
    public IEnumerable<string> InputTypes => Parameters
        .Where(parameter => parameter.PipelineInput.Contains("ByValue", StringComparison.Ordinal)).Select(parameter => parameter.TypeName).Distinct();
}

/// <summary>Reads the cmdlets of an assembly without running anything of it.</summary>
internal sealed class CmdletMetadata : IDisposable
{
    private const string AllSets = "__AllParameterSets";

    private readonly MetadataLoadContext _context;

    public CmdletMetadata(string assembly, IEnumerable<string> folders)
    {
        string[] places = [Path.GetDirectoryName(Path.GetFullPath(assembly))!, .. folders, AppContext.BaseDirectory, RuntimeEnvironment.GetRuntimeDirectory()];
        var files = places.SelectMany(place => Directory.GetFiles(place, "*.dll"))
            .DistinctBy(Path.GetFileName, StringComparer.OrdinalIgnoreCase);
        _context = new MetadataLoadContext(new PathAssemblyResolver(files));
        Cmdlets = [.. _context.LoadFromAssemblyPath(Path.GetFullPath(assembly)).GetExportedTypes()
            .Select(type => (Type: type, Attribute: Attribute(type, "CmdletAttribute")))
            .Where(candidate => candidate.Attribute is not null)
            .Select(candidate => Read(candidate.Type, candidate.Attribute!))];
    }

    public IReadOnlyList<Cmdlet> Cmdlets { get; }

    public void Dispose() => _context.Dispose();

    private static Cmdlet Read(Type type, CustomAttributeData attribute)
    {
        var uses = type.GetProperties().SelectMany(
            property => Attributes(property, "ParameterAttribute"), (property, use) => (
                Set: Named(use, "ParameterSetName", AllSets), Parameter: Parameter(property, use))).ToArray();
        var sets = uses.Select(use => use.Set).Distinct().Where(set => set != AllSets).DefaultIfEmpty(AllSets)
            .Select(set => (IReadOnlyList<CmdletParameter>)[.. uses.Where(use => use.Set == set || use.Set == AllSets).Select(use => use.Parameter)
                .OrderBy(parameter => parameter.Position ?? int.MaxValue)]);
        return new Cmdlet(
            (string)attribute.ConstructorArguments[0].Value!,
            (string)attribute.ConstructorArguments[1].Value!,
            [.. uses.Select(use => use.Parameter).DistinctBy(parameter => parameter.Name)],
            [.. sets],
            [.. Attributes(type, "OutputTypeAttribute").SelectMany(output => (IEnumerable<CustomAttributeTypedArgument>)output.ConstructorArguments[0].Value!)
                .Select(argument => argument.Value as string ?? ((Type)argument.Value!).FullName!)],
            Named(attribute, "SupportsShouldProcess", false));
    }

    private static CmdletParameter Parameter(PropertyInfo property, CustomAttributeData use)
    {
        var position = Named(use, "Position", int.MinValue);
        string[] pipeline = [
            .. Named(use, "ValueFromPipeline", false) ? ["ByValue"] : Array.Empty<string>(),
            .. Named(use, "ValueFromPipelineByPropertyName", false) ? ["ByPropertyName"] : Array.Empty<string>()];
        var type = property.PropertyType is { IsGenericType: true, Name: "Nullable`1" } nullable ? nullable.GetGenericArguments()[0] : property.PropertyType;
        var element = type.IsArray ? type.GetElementType()! : type;
        return new CmdletParameter(
            property.Name,
            type.Name,
            type.Name == "SwitchParameter",
            Named(use, "Mandatory", false),
            position == int.MinValue ? null : position,
            pipeline.Length == 0 ? "False" : $"True ({string.Join(", ", pipeline)})",
            Attribute(property, "SupportsWildcardsAttribute") is not null,
            Strings(Attribute(property, "AliasAttribute")),
            element.IsEnum ? element.GetEnumNames() : Strings(Attribute(property, "ValidateSetAttribute")));
    }

    private static IEnumerable<CustomAttributeData> Attributes(MemberInfo member, string name) =>
        member.GetCustomAttributesData().Where(attribute => attribute.AttributeType.Name == name);

    private static CustomAttributeData? Attribute(MemberInfo member, string name) => Attributes(member, name).FirstOrDefault();

    private static T Named<T>(CustomAttributeData attribute, string name, T otherwise) =>
        attribute.NamedArguments.FirstOrDefault(argument => argument.MemberName == name) is { MemberInfo: not null } found
            ? (T)found.TypedValue.Value!
            : otherwise;

    private static string[] Strings(CustomAttributeData? attribute) => attribute is null
        ? []
        : [.. ((IEnumerable<CustomAttributeTypedArgument>)attribute.ConstructorArguments[0].Value!).Select(argument => (string)argument.Value!)];
}
