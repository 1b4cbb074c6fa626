namespace Amp.MetadataDb;

/// <summary>The columns that our statements use: what a database made by ampd must have.</summary>
internal static class RequiredColumns
{
    private static readonly (string Table, string Columns)[] Tables =
    [
        ("workers", "node_id heartbeat_at info created_at registered_at"),
        ("jobs", "id node_id created_at idempotency_key"),
        ("jobs_status", "job_id node_id status updated_at detail"),
        ("job_events", "id created_at job_id node_id event_type detail"),
        ("manifest_files", "hash path created_at kind"),
        ("dataset_manifests", "namespace name hash"),
        ("tags", "namespace name version hash created_at updated_at"),
        ("physical_tables", "id updated_at dataset_namespace dataset_name table_name manifest_hash active_revision_id"),
        ("physical_table_revisions", "id updated_at path writer metadata"),
        ("file_metadata", "id location_id file_name metadata object_size object_e_tag object_version url"),
        ("footer_cache", "file_id footer"),
    ];

    /// <summary>As <c>table.column</c>.</summary>
    public static IEnumerable<string> All => Tables.SelectMany(t => t.Columns.Split(' ').Select(column => $"{t.Table}.{column}"));
}
