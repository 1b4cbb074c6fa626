using System.Globalization;
using System.Management.Automation;

namespace Amp.PowerShell.Common;

/// <summary>Lets a number mean seconds where a time span is asked for; .NET would take it for ticks of 100 ns.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SecondsAttribute : ArgumentTransformationAttribute
{
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData) => inputData switch
    {
        PSObject { BaseObject: not PSCustomObject } extended => Transform(engineIntrinsics, extended.BaseObject),
        object[] several => Array.ConvertAll(several, one => Transform(engineIntrinsics, one)),
        int or long or double or decimal => FromSeconds(Convert.ToDouble(inputData, CultureInfo.InvariantCulture)),
        _ => inputData,
    };

    private static TimeSpan FromSeconds(double seconds)
    {
        try
        {
            return TimeSpan.FromSeconds(seconds);
        }
        catch (Exception e) when (e is OverflowException or ArgumentException)
        {
            throw new ArgumentTransformationMetadataException($"{seconds} seconds are no time span: {e.Message}", e);
        }
    }
}
