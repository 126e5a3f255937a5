//  Golden.swift: documents as other implementations write them.

enum Golden {
  static let all = [conference, partial, addUser, addUserResponse, mute, load, multipart]

  /// A full document in the shape of RFC 4575's long example: most elements of the schema occur.
  static let conference = """
    <?xml version="1.0" encoding="UTF-8"?>
    <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sips:c17@example.com" state="full" version="1">
      <conference-description xml:lang="en-us">
        <subject>Weekly planning</subject><free-text>Bring numbers &amp; tea</free-text><keywords>plan week</keywords>
        <conf-uris><entry><uri>tel:+31305550100</uri><display-text>Dial in</display-text><purpose>participation</purpose></entry>
          <entry><uri>http://example.com/live</uri><purpose>streaming</purpose></entry></conf-uris>
        <service-uris><entry><uri>http://example.com/c17</uri><purpose>web-page</purpose></entry></service-uris>
        <maximum-user-count>12</maximum-user-count>
        <available-media><entry label="1"><display-text>main</display-text><type>audio</type></entry></available-media>
      </conference-description>
      <host-info><display-text>Ann</display-text><web-page>http://example.com/ann</web-page></host-info>
      <conference-state><user-count>2</user-count><active>true</active><locked>false</locked></conference-state>
      <users>
        <user entity="sip:bob@example.com" state="full">
          <display-text>Bob Hoskins</display-text>
          <associated-aors><entry><uri>mailto:bob@example.com</uri><display-text>email</display-text></entry></associated-aors>
          <roles><entry>presenter</entry></roles><languages>en nl</languages>
          <cascaded-focus>sips:c9@example.org</cascaded-focus>
          <endpoint entity="sip:bob@pc33.example.com">
            <display-text>Bob's laptop</display-text>
            <referred><when>2026-03-04T20:00:00Z</when><reason>expert</reason><by>sip:mike@example.com</by></referred>
            <status>disconnected</status><joining-method>dialed-out</joining-method>
            <joining-info><when>2026-03-04T20:00:00Z</when><reason>invitation</reason><by>sip:mike@example.com</by></joining-info>
            <disconnection-method>departed</disconnection-method>
            <disconnection-info><when>2026-03-04T20:10:00Z</when><reason>poor voice</reason><by>sip:mike@example.com</by></disconnection-info>
            <media id="1"><display-text>main audio</display-text><type>audio</type><label>34567</label><src-id>432424</src-id><status>sendrecv</status></media>
            <call-info><sip><display-text>full info</display-text><call-id>hsjh8980vhsb78</call-id><from-tag>vav738dvbs</from-tag><to-tag>8954jgjg8432</to-tag></sip></call-info>
          </endpoint>
        </user>
        <user entity="sip:alice@example.com"><endpoint entity="sip:4kfk4j392jsu@example.com;grid=433kj4j3u" session-type="audio-video">
          <status>connected</status><media id="2"><type>audio</type><status>inactive</status></media></endpoint></user>
      </users>
      <sidebars-by-ref><entry><uri>sips:c17;grid=40@example.com</uri></entry></sidebars-by-ref>
      <later xmlns="urn:example:later" a="1"><deep/></later>
    </conference-info>
    """

  static let partial = """
    <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions" entity="sips:c17@example.com" state="partial" version="2">
      <conference-state><user-count>1</user-count></conference-state>
      <users state="partial"><user entity="sip:bob@example.com" state="deleted"/>
        <user entity="sip:alice@example.com" state="partial"><endpoint entity="sip:4kfk4j392jsu@example.com;grid=433kj4j3u" state="partial">
          <status>muted-via-focus</status><media id="2"><type>audio</type><status>recvonly</status><msci:media-ingress-filter>block</msci:media-ingress-filter></media></endpoint></user></users>
      <msci:conference-view><msci:entity-view entity="audio-video"><msci:entity-state><msci:locked>false</msci:locked>
        <msci:media><entry label="main-audio"><type>audio</type></entry></msci:media>
        <msci:mediaFiltersRules><msci:mayModifyOwnFilters><msci:role>attendee</msci:role><msci:value>false</msci:value></msci:mayModifyOwnFilters>
          <msci:initialFilters><msci:role>attendee</msci:role><msci:ingressFilter>block</msci:ingressFilter></msci:initialFilters></msci:mediaFiltersRules>
        </msci:entity-state></msci:entity-view></msci:conference-view></conference-info>
    """

  static let addUser = """
    <request xmlns="urn:ietf:params:xml:ns:cccp" xmlns:mscp="http://schemas.microsoft.com/rtc/2005/08/cccpextensions" C3PVersion="1" requestId="41" from="sip:bo@example.com" to="sip:ann@example.com;gruu;opaque=app:conf:focus:id:K7Q2M9XA">
     <addUser mscp:mcuUri="sip:av@mh7.example.com"><conferenceKeys confEntity="sip:ann@example.com;gruu;opaque=app:conf:focus:id:K7Q2M9XA"/>
      <ci:user xmlns:ci="urn:ietf:params:xml:ns:conference-info" entity="sip:bo@example.com">
       <ci:roles><ci:entry>attendee</ci:entry></ci:roles>
       <ci:endpoint entity="{5C1E}"><ci:joining-method>dialed-in</ci:joining-method></ci:endpoint></ci:user><future/></addUser></request>
    """

  static let addUserResponse = """
    <response xmlns="urn:ietf:params:xml:ns:cccp" xmlns:ci="urn:ietf:params:xml:ns:conference-info" requestId="2" from="AV" to="FOCUS" code="success" unknown="x">
     <addUser><conferenceKeys confEntity="FOCUS"/><ci:user entity="sip:bo@example.com"><ci:endpoint entity="bo-1">
      <ci:media id="1"><ci:type>audio</ci:type><ci:label>a-bo</ci:label></ci:media></ci:endpoint></ci:user>
      <connection-info><entry><key>Mcu-Server-Uri</key><value>sip:av@mh7.example.com</value></entry></connection-info></addUser></response>
    """

  static let mute = """
    <request xmlns="urn:ietf:params:xml:ns:cccp" xmlns:ci="urn:ietf:params:xml:ns:conference-info" xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions" requestId="7" from="a" to="b" C3PVersion="1">
     <modifyEndpointMedia mcuUri="AV"><mediaKeys confEntity="FOCUS" userEntity="sip:bo@example.com" endpointEntity="bo-1" mediaId="1"/>
      <ci:media id="1"><ci:type>audio</ci:type><ci:status>recvonly</ci:status><msci:media-ingress-filter>block</msci:media-ingress-filter></ci:media></modifyEndpointMedia></request>
    """

  static let load = """
    <mrbpublish version="1.0" xmlns="urn:ietf:params:xml:ns:mrb-publish" xmlns:x="urn:example:mcu-load:1">
     <mrbnotification seqnum="912" id="mh7"><media-server-id>mh7</media-server-id>
      <active-rtp-sessions><rtp-codec name="audio/opus"><decoding>84</decoding><encoding>84</encoding></rtp-codec></active-rtp-sessions>
      <active-mixer-sessions><active-mix conferenceid="K7Q2M9XA"><rtp-codec name="audio/opus"><decoding>6</decoding><encoding>6</encoding></rtp-codec></active-mix></active-mixer-sessions>
      <non-active-mixer-sessions><non-active-mix available="40"><rtp-codec name="audio/opus"><decoding>160</decoding><encoding>160</encoding></rtp-codec></non-active-mix></non-active-mixer-sessions>
      <media-server-status>active</media-server-status><label>mh7</label>
      <media-server-address>sip:av@mh7.example.com;transport=tls</media-server-address><encryption/>
      <x:load cpu="0.41" pps-in="41200" pps-out="118000" late-ticks="3" drain="false"/>
     </mrbnotification></mrbpublish>
    """

  static let multipart =
    "preamble\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b  \r\nContent-Type: application/cccp+xml\r\n"
    + "Content-Disposition: session;\r\n handling=optional\r\n\r\n<a/>\r\n--b--\r\nepilogue"
}
