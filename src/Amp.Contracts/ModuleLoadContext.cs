using System.Reflection;
using System.Runtime.Loader;

namespace Amp;

/// <summary>
/// Where Amp's cmdlets, runtime and every package they use are loaded, apart from the shell's own assemblies and from
/// those of other modules, so that no two versions can clash. Used by <c>Amp.psm1</c> only. This class may touch
/// core types only: whatever else it needed would be resolved through itself.
/// </summary>
public sealed class ModuleLoadContext : AssemblyLoadContext
{
    private const string EntryAssembly = "Amp.PowerShell";

    private static readonly Lock Gate = new();
    private static Assembly? _module;

    private readonly string _folder;
    private readonly AssemblyDependencyResolver _resolver;

    private ModuleLoadContext(string folder)
        : base("Amp")
    {
        _folder = folder;
        _resolver = new AssemblyDependencyResolver(Path.Combine(folder, $"{EntryAssembly}.dll"));
    }

    /// <summary>
    /// The assembly with the cmdlets, loaded on the first call. A process has one: a second import, also from another
    /// runspace, gets the same.
    /// </summary>
    /// <returns>The assembly to hand to <c>Import-Module -Assembly</c>.</returns>
    public static Assembly LoadModule()
    {
        lock (Gate)
        {
            if (_module is null)
            {
                var folder = Path.Combine(Path.GetDirectoryName(typeof(ModuleLoadContext).Assembly.Location)!, "bin");
                _module = new ModuleLoadContext(folder).LoadFromAssemblyName(new AssemblyName(EntryAssembly));
            }

            return _module;
        }
    }

    /// <summary>
    /// Decides where an assembly comes from: null for the default context (the framework, PowerShell), else the file
    /// in our own folder. Ours wins whatever the shell or another module has loaded.
    /// </summary>
    /// <param name="folder">Our folder.</param>
    /// <param name="name">Simple name of the assembly.</param>
    /// <returns>Path of the file, or null.</returns>
    public static string? PathInFolder(string folder, string? name)
    {
        if (string.IsNullOrEmpty(name) || name.StartsWith("System.Management.Automation", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var path = Path.Combine(folder, $"{name}.dll");
        return File.Exists(path) ? path : null;
    }

    /// <inheritdoc/>
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        var contracts = typeof(ModuleLoadContext).Assembly;
        if (string.Equals(assemblyName.Name, contracts.GetName().Name, StringComparison.OrdinalIgnoreCase))
        {
            return contracts;
        }

        return PathInFolder(_folder, assemblyName.Name) is { } path ? LoadFromAssemblyPath(path) : null;
    }

    /// <inheritdoc/>
    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        _resolver.ResolveUnmanagedDllToPath(unmanagedDllName) is { } path ? LoadUnmanagedDllFromPath(path) : 0;
}
