using Amp.MetadataDb;

namespace Amp.BackgroundJobs;

/// <summary>What a worker may live on with.</summary>
internal static class JobWorkerFault
{
    /// <summary>
    /// Whether it may pass by itself, as the database's errors do. All else does not, nor does a memory that is full, whatever it looks like by
    /// the time it arrives: nobody knows what was lost on its way.
    /// </summary>
    public static bool MayPass(Exception fault)
    {
        for (var cause = fault; cause is not null; cause = cause.InnerException)
        {
            if (cause is OutOfMemoryException)
            {
                return false;
            }
        }

        return fault is AmpException || DatabaseErrors.IsDatabase(fault);
    }
}
