using System.Text;

namespace Amp.BackgroundJobs;

/// <summary>Messages of other services, as they may come and as they may not.</summary>
public sealed class ControlMessageTests
{
    private const string Created = "eventzr.auth.tenant.created.v1";
    private const string Deleted = "eventzr.auth.tenant.deleted.v1";
    private const string Changed = "eventzr.subscriptions.changed.v1";
    private const string Suspended = "eventzr.wallet.suspended.v1";
    private const string Tenant = "10000000-0000-4000-8000-000000000004";

    private static readonly DateTimeOffset SentAt = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Envelope_IsRead_WhateverElseIsInIt()
    {
        var message = Read(Changed, $$$"""
            {"specversion":"1.0","type":"eventzr.subscriptions.changed.v1","source":"subscriptions-svc","id":"evt-1","time":"2026-04-30T12:00:00.123456789+02:00","subject":"x","extra":[1],
             "data":{"tenantId":"{{{Tenant}}}","tier":"pro","limits":{"daily":7,"payload":2147483647,"burst":-1},"previous":{"tier":"free"}} }
            """);

        Assert.Equal((Changed, "evt-1", Guid.Parse(Tenant), ControlKind.LimitsChanged), (message.Topic, message.EventId, message.TenantId, message.Kind));
        Assert.Equal(new DateTimeOffset(2026, 4, 30, 10, 0, 0, 123, TimeSpan.Zero), message.Time, TimeSpan.FromMilliseconds(1));
        Assert.Equal("pro", message.Tier);
        Assert.Equal(new ControlLimits(7, 200_000, 500, int.MaxValue), message.Limits);
    }

    [Theory]
    [InlineData("""{"id":"1","data":{"tenantId":"T"}}""")]
    [InlineData("""{"id":"1","data":{"tenant_id":"T"}}""")]
    [InlineData("""{"id":"1","subject":"T","data":{}}""")]
    [InlineData("""{"id":"1","subject":"T"}""")]
    [InlineData("""{"id":"1","tenantId":"T"}""")]
    [InlineData("""{"id":"1","tenant_id":"T"}""")]
    [InlineData("""{"id":"1","subject":"somebody else","data":{"tenantId":"T"}}""")]
    [InlineData("""{"id":"1","subject":"T","time":null,"data":{"tenantId":null,"tier":null}}""")]
    public void Tenant_IsFoundWhereItMayBe_AndTheTimeIsThatOfTheMessage(string json)
    {
        var message = Read(Created, json.Replace("\"T\"", $"\"{Tenant}\"", StringComparison.Ordinal));

        Assert.Equal((Guid.Parse(Tenant), SentAt, "standard"), (message.TenantId, message.Time, message.Tier));
        Assert.Equal(ControlLimits.Of(TenantLimits.Default), message.Limits);
    }

    [Theory]
    [InlineData(Created, """ "plan":"free" """, ControlKind.Created)]
    [InlineData(Deleted, """ "active":"yes" """, ControlKind.Deleted)]
    [InlineData(Suspended, """ "active":true """, ControlKind.Resumed)]
    [InlineData(Suspended, """ "active":false """, ControlKind.Suspended)]
    [InlineData(Suspended, """ "active":null """, ControlKind.Suspended)]
    [InlineData(Suspended, """ "reason":"unpaid" """, ControlKind.Suspended)]
    [InlineData("eventzr.wallet.suspended.v2.eu", "", ControlKind.Suspended)]
    [InlineData("eventzr.auth.tenant.created", "", ControlKind.Created)]
    public void Topic_SaysWhatItTells(string topic, string data, object kind)
    {
        Assert.Equal(kind, Read(topic, Data(data)).Kind);
    }

    [Theory]
    [InlineData("eventzr.auth.tenant.updated.v1")]
    [InlineData("eventzr.auth.tenant.")]
    [InlineData("eventzr.auth.tenants.created.v1")]
    [InlineData("eventzr.jobs.completed.v1")]
    public void OtherTopics_TellNothing(string topic)
    {
        Assert.False(ControlMessage.IsKnown(topic));
        Assert.True(ControlMessage.IsKnown(Created));
    }

    [Fact]
    public void LimitsWithoutATier_AreAllThatChanges()
    {
        var message = Read(Changed, Data(""" "limits":{"running":3} """));

        Assert.Null(message.Tier);
        Assert.Equal(new ControlLimits(null, null, 3, null), message.Limits);
    }

    [Theory]
    [InlineData("", "not JSON")]
    [InlineData("\0\0", "not JSON")]
    [InlineData("{", "not JSON")]
    [InlineData("[]", "not an object")]
    [InlineData("null", "not an object")]
    [InlineData("""{"id":"1","data":[]}""", "'data'")]
    [InlineData("""{"id":"1","data":{}}""", "no tenant")]
    [InlineData("""{"data":{"tenantId":"T"}}""", "'id'")]
    [InlineData("""{"id":1,"data":{"tenantId":"T"}}""", "'id'")]
    [InlineData("""{"id":"","data":{"tenantId":"T"}}""", "'id'")]
    [InlineData("""{"id":"a\u0000b","data":{"tenantId":"T"}}""", "'id'")]
    [InlineData("""{"id":"\ud800","data":{"tenantId":"T"}}""", "cannot be read")]
    [InlineData("""{"id":"1","data":{"tenantId":7}}""", "'tenantId'")]
    [InlineData("""{"id":"1","data":{"tenantId":"acme"}}""", "UUID")]
    [InlineData("""{"id":"1","time":"yesterday","data":{"tenantId":"T"}}""", "time")]
    [InlineData("""{"id":"1","time":1714557600,"data":{"tenantId":"T"}}""", "'time'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":7}}""", "'tier'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T"}}""", "neither")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","limits":{}}}""", "neither")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":5}}""", "'limits'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":{"daily":0}}}""", "'daily'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":{"queued":-1}}}""", "'queued'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":{"running":2147483648}}}""", "'running'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":{"payload":1.5}}}""", "'payload'")]
    [InlineData("""{"id":"1","data":{"tenantId":"T","tier":"pro","limits":{"daily":"10"}}}""", "'daily'")]
    public void MessageThatCannotBeUnderstood_IsRefused_AndTheErrorSaysWhy(string json, string reason)
    {
        var error = Assert.Throws<AmpException>(() => Read(Changed, json.Replace("\"T\"", $"\"{Tenant}\"", StringComparison.Ordinal)));

        Assert.Equal("ControlMessageMalformed", error.ErrorCode);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }

    [Fact]
    public void WrongActive_InvalidUtf8_AndTextThatIsTooLong_AreRefused()
    {
        Assert.Throws<AmpException>(() => Read(Suspended, Data(""" "active":"true" """)));
        Assert.Throws<AmpException>(() => Read(Created, Data($""" "tier":"{new string('x', 257)}" """)));
        Assert.Throws<AmpException>(() => ControlMessage.Read(Created, (byte[])[.. "{\"id\":\""u8, 0xFF, .. Encoding.UTF8.GetBytes($"\",\"tenantId\":\"{Tenant}\"}}")], SentAt));
        Assert.Throws<AmpException>(() => ControlMessage.Read(Created, null, SentAt));
    }

    private static string Data(string members) => $$"""{"id":"1","subject":"{{Tenant}}","data":{ {{members}} } }""";

    private static ControlMessage Read(string topic, string json) => ControlMessage.Read(topic, Encoding.UTF8.GetBytes(json), SentAt);
}
