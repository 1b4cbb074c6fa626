using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>
/// Turns the runtime's exceptions into error records: the id is <c>Amp</c> and the exception's code, the category
/// follows its kind, the target is what it is about.
/// </summary>
internal static class AmpErrors
{
    public static ErrorRecord From(AmpException exception) =>
        new(exception, $"Amp{exception.ErrorCode}", Category(exception.Kind), exception.Target)
        {
            ErrorDetails = new ErrorDetails(exception.Message) { RecommendedAction = exception.RecommendedAction ?? "" },
        };

    public static AmpException NotFound(string code, string message, object target, string action) =>
        new(code, AmpErrorKind.NotFound, message) { Target = target, RecommendedAction = action };

    public static AmpException ProviderNotFound(string name) => NotFound(
        "ProviderNotFound", $"There is no provider '{name}'.", name, "Get-AmpProvider lists the providers there are.");

    private static ErrorCategory Category(AmpErrorKind kind) => kind switch
    {
        AmpErrorKind.InvalidInput => ErrorCategory.InvalidArgument,
        AmpErrorKind.NotFound => ErrorCategory.ObjectNotFound,
        AmpErrorKind.Conflict => ErrorCategory.ResourceExists,
        AmpErrorKind.Unavailable => ErrorCategory.ConnectionError,
        AmpErrorKind.Denied => ErrorCategory.PermissionDenied,
        AmpErrorKind.InvalidData => ErrorCategory.InvalidData,
        AmpErrorKind.LimitReached => ErrorCategory.LimitsExceeded,
        AmpErrorKind.InvalidState => ErrorCategory.InvalidOperation,
        _ => ErrorCategory.NotSpecified,
    };
}
