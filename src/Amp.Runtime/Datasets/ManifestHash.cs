using System.Security.Cryptography;

namespace Amp.Datasets;

/// <summary>The identity of a manifest.</summary>
public static class ManifestHash
{
    /// <summary>SHA-256 of a manifest's canonical JSON, as 64 hex digits in lower case.</summary>
    public static string Compute(ReadOnlySpan<byte> canonicalJson) => Convert.ToHexStringLower(SHA256.HashData(canonicalJson));

    /// <summary>The hash of a manifest.</summary>
    public static string Compute(RawManifest manifest) => Compute(ManifestJson.Write(manifest));
}
