using System.Text;

namespace Amp.Extraction.EvmRpc;

/// <summary>The header by which a provider's requests prove who sends them.</summary>
internal static class RpcAuthentication
{
    /// <summary>Name and value; null when the provider has neither token nor user in its URL.</summary>
    public static (string Name, string Value)? Header(EvmRpcOptions options)
    {
        if (options.AuthToken is { } token)
        {
            return (options.AuthHeader ?? "Authorization", options.AuthHeader is null ? $"Bearer {token}" : token);
        }

        return options.Url.UserInfo.Length > 0
            ? ("Authorization", $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(options.Url.UserInfo)))}")
            : null;
    }

    /// <summary>The header cannot be one. Without an inner exception, which would quote the token.</summary>
    public static AmpException Invalid(string node) =>
        new("InvalidAuthentication", AmpErrorKind.InvalidInput, $"auth_header or auth_token for {node} cannot be a header of a request.")
        {
            Target = node,
            RecommendedAction = "Use a header name of letters, digits and hyphens, and a token without line breaks.",
        };
}
